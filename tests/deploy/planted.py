"""Evenings as Prometheus would have seen them: a healthy one, and each way in which one goes wrong.

The series are planted: no service runs. Their names and labels are those that services export. A
minute is a scrape and a look at the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Values = Callable[[int], float | None]
"""Of each minute the value of a series; None where there is none."""
Series = dict[str, Values]

FAULT = 20
"""The minute in which what goes wrong begins."""
A_DAY_S = 86_400
ORDERING, SERVING, QUERY = "comanda/ordering", "comanda/serving", "comanda/query"

PARTS = {
    ORDERING: {
        "database": True,
        "outbox": True,
        "relay": False,
        "fill": False,
        "kitchen": False,
        "commands": False,
    },
    SERVING: {"queue": True, "room": True, "fill": False, "orders": False},
    QUERY: {
        "mongodb": True,
        "views": True,
        "lag": True,
        "changes": False,
        "roll-up": False,
        "sweep": False,
        "archives": False,
    },
}
"""Of each job some parts, and whether it needs them."""


def always(value: float) -> Values:
    return lambda _: value


def rising(a_minute: float) -> Values:
    return lambda minute: a_minute * minute


def then(before: Values, after: Values, at: int = FAULT) -> Values:
    """Until `at` the first, from then on the second, by the minutes since."""
    return lambda minute: before(minute) if minute < at else after(minute - at)


def gone(before: Values) -> Values:
    return then(before, lambda _: None)


def part(job: str, name: str) -> str:
    needed = str(PARTS[job].get(name, False)).lower()
    return f'comanda_component_ready{{job="{job}", component="{name}", required="{needed}"}}'


def shown(stream: str, le: str = "") -> str:
    end, bound = ("bucket", f', le="{le}"') if le else ("count", "")
    return f'comanda_query_projection_lag_seconds_{end}{{job="{QUERY}", stream="{stream}"{bound}}}'


def read(status: str, le: str = "") -> str:
    end, bound = ("bucket", f', le="{le}"') if le else ("count", "")
    labels = f'job="{QUERY}", method="GET", route="/v1/restaurants/{{restaurant}}/orders"'
    return f'comanda_http_request_seconds_{end}{{{labels}, status="{status}"{bound}}}'


def lag(stream: str, consumer: str) -> str:
    job = {"ordering": ORDERING, "serving": SERVING, "query": QUERY}[consumer]
    labels = f'job="{job}", stream="{stream}", consumer="{consumer}"'
    return f"comanda_consumer_oldest_seconds{{{labels}}}"


def letters(service: str, stream: str) -> str:
    labels = f'job="comanda/{service}", service="{service}", stream="{stream}", kind="rejected"'
    return f"comanda_dead_letters_total{{{labels}}}"


OUTBOX = f'comanda_ordering_outbox_oldest_seconds{{job="{ORDERING}"}}'
CANCELLING = f'comanda_ordering_cancelling_oldest_seconds{{job="{ORDERING}"}}'
PARKED = f'comanda_ordering_parked_events{{job="{ORDERING}"}}'
LOST = f'comanda_ordering_lost_events_total{{job="{ORDERING}", stream="ORDERS"}}'
TICKETS_LOST = f'comanda_serving_tickets_lost{{job="{SERVING}"}}'
BEHIND = f'comanda_query_behind_seconds{{job="{QUERY}", stream="ORDERS"}}'
ARCHIVE = f'comanda_query_archive_behind_seconds{{job="{QUERY}", archive="ORDERS_ARCHIVE"}}'
FOREIGN = f'comanda_query_views_foreign{{job="{QUERY}", stream="ORDERS"}}'
FILL = f'comanda_stream_fill_ratio{{job="{SERVING}", stream="TICKETS", of="bytes"}}'
CERTIFICATE = f'comanda_certificate_expires_timestamp_seconds{{job="{ORDERING}", file="nats_cert"}}'
MIGRATION = 'kube_job_status_active{namespace="comanda", job_name="ordering-migration-1"}'
PAGES = 'kube_deployment_status_replicas_available{namespace="comanda", deployment="pages"}'
_VOLUME = '{namespace="comanda", persistentvolumeclaim="nats-0"}'
USED = f"kubelet_volume_stats_used_bytes{_VOLUME}"

HEALTHY: Series = {
    **{part(job, name): always(1) for job, names in PARTS.items() for name in names},
    OUTBOX: always(0.1),
    CANCELLING: lambda minute: minute % 5,
    PARKED: always(0),
    LOST: always(0),
    TICKETS_LOST: always(0),
    BEHIND: lambda minute: minute % 3,
    ARCHIVE: always(0),
    FOREIGN: always(0),
    FILL: lambda minute: 0.5 + minute / 10_000,
    lag("ORDERS", "serving"): lambda minute: 2 * (minute % 2),
    lag("TICKETS", "ordering"): always(0),
    lag("COMMANDS", "ordering"): always(0),
    letters("ordering", "COMMANDS"): always(3),
    CERTIFICATE: always(90 * A_DAY_S),
    shown("ORDERS"): rising(600),
    shown("ORDERS", "1.0"): rising(599.9),
    read("200"): rising(6000),
    read("200", "0.1"): rising(5998),
    read("404"): rising(10),
    read("404", "0.1"): rising(10),
    MIGRATION: always(0),
    PAGES: always(3),
    USED: always(50e9),
    f"kubelet_volume_stats_capacity_bytes{_VOLUME}": always(100e9),
}
"""Orders come, ten a second; one of 6000 is shown late, and one read of 3000 is slow."""


@dataclass(frozen=True)
class Evening:
    """What goes wrong in the minute `FAULT`, and which alerts are raised, by the minutes since."""

    faults: Series
    raised: Mapping[str, int] = field(default_factory=dict)
    minutes: int = 12
    """For which it is looked on."""

    @property
    def series(self) -> Series:
        return HEALTHY | self.faults


def waiting(minute: int) -> float:
    """The age of what waits since the fault."""
    return 60.0 * minute


EVENINGS: dict[str, Evening] = {
    "a healthy one": Evening({}),
    "a stopped relay": Evening(
        {
            OUTBOX: then(always(0.1), waiting),
            part(ORDERING, "relay"): then(always(1), always(0)),
            part(ORDERING, "outbox"): then(always(1), always(0), at=FAULT + 11),
            shown("ORDERS"): then(rising(600), always(600 * FAULT)),
            shown("ORDERS", "1.0"): then(rising(599.9), always(599.9 * FAULT)),
        },
        {"RelayBehind": 3},
    ),
    "a stream that is full": Evening(
        {
            FILL: then(lambda minute: 0.5 + minute / 10_000, always(1)),
            part(SERVING, "room"): then(always(1), always(0)),
            part(SERVING, "fill"): then(always(1), always(0)),
        },
        {"JetStreamFull": 1, "StreamFilling": 5},
    ),
    "a dead projector": Evening(
        {
            part(QUERY, "roll-up"): gone(always(1)),
            BEHIND: then(always(0), waiting),
            lag("ORDERS", "query"): gone(always(0)),
            shown("ORDERS"): gone(rising(600)),
            shown("ORDERS", "1.0"): gone(rising(599.9)),
        },
        {"ServiceDown": 2, "QueryLags": 4},
    ),
    "a poisoned queue": Evening(
        {letters("serving", "ORDERS"): then(lambda _: None, always(1))},
        {"DeadLettersGrowing": 0},
    ),
    "a cancellation without an answer": Evening(
        {CANCELLING: then(always(0), waiting)}, {"CancellationUnanswered": 6}
    ),
    "an expired certificate": Evening(
        {CERTIFICATE: always(60 * FAULT)}, {"CertificateExpiring": -FAULT + 5}
    ),
    "a certificate that is not renewed": Evening(
        {CERTIFICATE: always(7 * A_DAY_S + 60 * FAULT - 30)}, {"CertificateExpiring": 5}
    ),
    "kitchens that hear nothing": Evening(
        {lag("ORDERS", "serving"): then(always(0), waiting)}, {"ConsumerLags": 3}
    ),
    "an event that can't be published": Evening(
        {PARKED: then(always(0), always(1))}, {"EventsParked": 1}
    ),
    "a broker that lost power": Evening(
        {LOST: then(always(0), always(12))}, {"BrokerLostNewestMessages": 0}
    ),
    "a migration that hangs": Evening(
        {MIGRATION: then(always(0), always(1))}, {"MigrationStuck": 10}
    ),
    "streams that were wiped": Evening(
        {
            TICKETS_LOST: then(always(0), always(40)),
            part(SERVING, "queue"): then(always(1), lambda minute: float(minute > 0)),
        },
        {"StreamsWiped": 0},
    ),
    "a stream without a leader": Evening(
        {part(SERVING, "queue"): then(always(1), always(0))}, {"TicketsWithoutLeader": 1}
    ),
    "an archive that takes in nothing": Evening(
        {
            ARCHIVE: then(always(0), waiting),
            part(QUERY, "archives"): then(always(1), always(0)),
        },
        {"ArchiveLags": 66},
        minutes=70,
    ),
    "views that were wiped": Evening(
        {
            FOREIGN: then(always(0), always(1)),
            part(QUERY, "views"): then(always(1), always(0)),
        },
        {"ViewsForeign": 1},
    ),
    "a PostgreSQL that is away": Evening(
        {part(ORDERING, "database"): then(always(1), always(0))}, {"ServiceNotReady": 2}
    ),
    "a part that fails": Evening(
        {part(QUERY, "sweep"): then(always(1), always(0))}, {"ServiceDegraded": 5}
    ),
    "a disk that fills": Evening({USED: then(always(50e9), always(85e9))}, {"VolumeFilling": 5}),
    "a service that is gone": Evening(
        {part(SERVING, name): gone(always(1)) for name in PARTS[SERVING]}
        | {lag("ORDERS", "serving"): gone(always(0))},
        {"ServiceDown": 2},
    ),
    "pages that nobody serves": Evening({PAGES: then(always(3), always(0))}, {"PagesDown": 2}),
    "orders that are shown late": Evening(
        {
            shown("ORDERS", "1.0"): then(
                rising(599.9), lambda minute: 599.9 * FAULT + 300.0 * minute
            )
        },
        {"OrdersShownLateFast": 3},
    ),
    "reads that fail": Evening(
        {
            read("200"): then(rising(6000), lambda minute: 6000.0 * FAULT + 3000.0 * minute),
            read("200", "0.1"): then(rising(5998), lambda minute: 5998.0 * FAULT + 3000.0 * minute),
            read("503"): then(always(0), rising(3000)),
            read("503", "0.1"): then(always(0), rising(3000)),
        },
        {"ReadsFailOrLateFast": 3},
    ),
    "orders of which too many are late, day after day": Evening(
        {shown("ORDERS", "1.0"): rising(598)}, {"OrdersShownLateSlowly": 46}, minutes=50
    ),
    "reads of which too many are late, day after day": Evening(
        {read("200", "0.1"): rising(5980)}, {"ReadsFailOrLateSlowly": 41}, minutes=50
    ),
    "one late order in a quiet night": Evening(
        {
            shown("ORDERS"): lambda minute: minute // 10,
            shown("ORDERS", "1.0"): then(lambda minute: minute // 10, always(FAULT // 10)),
            read("200"): always(5),
            read("200", "0.1"): always(5),
        },
        minutes=40,
    ),
}
