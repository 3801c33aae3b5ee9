"""Settings of a service: from the environment and nowhere else."""

import re
import sys
from typing import Annotated, NoReturn, TypeVar
from urllib.parse import urlsplit

from comanda_contracts.streams import ALL_STREAMS, ARCHIVES
from limits import parse_many
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from service_kit.runtime.logs import Form
from service_kit.runtime.nats_servers import NatsServers

PREFIX = "COMANDA_"
TOKEN_LIFE_MAX_S = 31 * 86_400
"""Seconds after its issue until which a token is believed, however long it says that it lives."""
WITHDRAWAL_MARGIN_S = 86_400
"""Seconds for which a withdrawal is remembered beyond that: clocks differ, messages are late."""
RATE_PER_SUBJECT, RATE_PER_RESTAURANT = "1000/second", "2000/second"
"""More than people and their devices ever ask for."""
RATE_WINDOW_MAX_S = 3600
"""Whoever asked within it is remembered."""
FEEDS_PER_SUBJECT = 200


def with_scheme(*schemes: str, several: bool = False, is_needed: bool = True) -> AfterValidator:
    """Validates that a secret URL, or each of several between commas, has one of these schemes.

    One that is not needed may be empty.
    """

    def check(secret: SecretStr) -> SecretStr:
        whole = secret.get_secret_value()
        if not whole and not is_needed:
            return secret
        for url in whole.split(",") if several else [whole]:
            if not url.strip().startswith(tuple(f"{scheme}://" for scheme in schemes)):
                raise ValueError(f"is not a URL that starts with {schemes[0]}://")
        return secret

    return AfterValidator(check)


NATS_SCHEMES = ("nats", "tls", "ws", "wss")
NatsUrl = Annotated[SecretStr, with_scheme(*NATS_SCHEMES, several=True)]
MaybeNatsUrl = Annotated[SecretStr, with_scheme(*NATS_SCHEMES, several=True, is_needed=False)]

SEED_PATTERN = r"SU[A-Z2-7]{56}"


def _of_a_users_key(seed: SecretStr, known: ValidationInfo) -> SecretStr:
    file = f"{str(known.field_name).removesuffix('seed')}nkey"
    if seed.get_secret_value() and known.data.get(file):
        raise ValueError(f"is of no use beside {PREFIX}{file.upper()}")
    if seed.get_secret_value() and not re.fullmatch(SEED_PATTERN, seed.get_secret_value()):
        raise ValueError("is no seed of a user's nkey, which begins with SU")
    return seed


NatsSeed = Annotated[SecretStr, AfterValidator(_of_a_users_key)]


def _without_password(jwks: str) -> str:
    if "://" not in jwks:
        return jwks
    try:
        parts = urlsplit(jwks)
        is_usable = bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # which has parts of the URL in it
        is_usable = False
    if not is_usable or not jwks.startswith(("http://", "https://")):
        raise ValueError("is not a URL that starts with https:// and has no user in it")
    return jwks


Jwks = Annotated[str, AfterValidator(_without_password)]
"""A file, or an http(s) URL without a password, with a JWK Set."""


def _with_what_it_needs(file: str, known: ValidationInfo) -> str:
    """A certificate shows nobody who we are without TLS, nor does a key without a certificate."""
    server, _, kind = (known.field_name or "").rpartition("_")
    needed = f"{server}_{'ca' if kind == 'cert' else 'cert'}"
    if file and not known.data.get(needed):
        raise ValueError(f"is of no use without {PREFIX}{needed.upper()}")
    return file


TlsFile = Annotated[str, AfterValidator(_with_what_it_needs)]
"""A file of `<server>_cert`, which needs `<server>_ca`, or of `<server>_key`, which needs that."""
ProblemsUrl = Annotated[str, Field(pattern=r"^$|^https?://[^\s?#]+$")]

STREAM_LIMITS_PATTERN = r"^$|^[A-Z_]+=[1-9][0-9]*(,[A-Z_]+=[1-9][0-9]*)*$"


def _of_known_streams(limits: str) -> str:
    unknown = parse_stream_limits(limits).keys() - {
        stream.name for stream in (*ALL_STREAMS, *ARCHIVES)
    }
    if unknown:
        raise ValueError(f"there is no stream {', '.join(sorted(unknown))}")
    return limits


StreamLimits = Annotated[
    str, Field(pattern=STREAM_LIMITS_PATTERN), AfterValidator(_of_known_streams)
]
"""Numbers by streams' names, such as `ORDERS=40000000000,MENU=500000000`."""


def parse_stream_limits(limits: str) -> dict[str, int]:
    """The numbers by the streams' names."""
    pairs = (each.split("=") for each in limits.split(",") if each)
    return {name: int(number) for name, number in pairs}


def _one_rate(text: str) -> str:
    try:
        (rate,) = parse_many(text)
    except ValueError:
        raise ValueError("is not one rate, such as 1000/second") from None
    if rate.amount < 1 or rate.get_expiry() > RATE_WINDOW_MAX_S:
        raise ValueError("is not one rate of at least 1, in an hour at most")
    return text


Rate = Annotated[str, AfterValidator(_one_rate)]
"""A number of requests in a time, in the notation of `limits`: `1000/second`, `90/5 minutes`."""


ORIGIN_PATTERN = r"\*|https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?"


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _as_browsers_write_them(origins: str) -> str:
    listed = [each.lower() for each in _listed(origins)]
    for each in listed:
        if not re.fullmatch(ORIGIN_PATTERN, each):
            raise ValueError("is no list of origins, such as https://till.example")
    return ",".join(listed)


AllowedOrigins = Annotated[str, AfterValidator(_as_browsers_write_them)]
"""Origins between commas: scheme, host and, if it is not the scheme's own, port."""


PREFIX_PATTERN = r"(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+"


def _paths(prefixes: str) -> str:
    listed = _listed(prefixes)
    for each in listed:
        if not re.fullmatch(PREFIX_PATTERN, each):
            raise ValueError("is no list of paths, such as /ordering")
    return ",".join(listed)


GatewayPrefixes = Annotated[str, AfterValidator(_paths)]
"""Paths between commas, each from `/` on and without one at its end."""


class LogSettings(BaseSettings):
    """How whatever runs writes its log."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_form: Form = Field(default=Form.JSON, description="how the log is written: json or console")


class ServiceSettings(LogSettings):
    """Settings of every service. Each name is prefixed with `COMANDA_` in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    nats_url: NatsUrl = Field(description="NATS servers, comma-separated, with credentials if any")
    nats_nkey: str = Field(
        default="", description="file with the seed of the user whom NATS's URL names"
    )
    nats_seed: NatsSeed = Field(
        default=SecretStr(""), description="the seed itself, where no file is mounted"
    )
    nats_ca: str = Field(
        default="", description="file of the CA that signs NATS's certificates; TLS alone then"
    )
    nats_cert: TlsFile = Field(default="", description="file of a certificate for NATS")
    nats_key: TlsFile = Field(default="", description="file of that certificate's key")
    operator_nats_url: MaybeNatsUrl = Field(
        default=SecretStr(""),
        description="the same servers with the user `<service>-operator`, for `/v1/operate`; "
        "without it these routes do nothing",
    )
    operator_nats_nkey: str = Field(
        default="", description="file with the seed of the user whom that URL names"
    )
    operator_nats_seed: NatsSeed = Field(
        default=SecretStr(""), description="that seed itself, where no file is mounted"
    )
    http_host: str = Field(default="0.0.0.0", description="address to listen on")  # noqa: S104 - a container's only address
    http_port: int = Field(default=8000, ge=1, le=65535, description="port to listen on")
    admin_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="port of metrics and documents, which the other then lacks; 0: there is one",
    )
    public_documents: bool = Field(
        default=False, description="whether the API's documents are at the clients' port, too"
    )
    problems_url: ProblemsUrl = Field(
        default="",
        description="where docs/problems is published, to be the type of problems; else it is "
        "`urn:comanda:problem:…`",
    )
    log_requests: bool = Field(default=True, description="whether the log has a line a request")
    revision: str = Field(
        default="", description="revision that the image was built from, which names itself"
    )
    drain_seconds: float = Field(
        default=0.5, ge=0, le=60, description="seconds to serve on after SIGTERM, though not ready"
    )
    hosts: str = Field(
        default="localhost",
        description="names that clients call the service by, comma-separated",
    )
    allowed_origins: AllowedOrigins = Field(
        default="",
        description="origins whose pages may call the service, comma-separated, such as "
        "https://till.example; `*`: any",
    )
    gateway_prefixes: GatewayPrefixes = Field(
        default="",
        description="paths that gateways take off before they ask the service, comma-separated, "
        "such as /ordering: links then have the one that `X-Forwarded-Prefix` names",
    )
    stream_replicas: int = Field(
        default=1, ge=1, le=5, description="copies of each stream: 3 in production"
    )
    stream_max_bytes: StreamLimits = Field(
        default="", description="bytes that set-up gives streams, such as ORDERS=40000000000"
    )
    stream_max_age_s: StreamLimits = Field(
        default="", description="seconds that set-up has streams keep messages"
    )
    hot_days: float = Field(
        default=30,
        gt=0,
        description="days that new streams with an archive keep their messages, and others once "
        "`set-up --apply-retention` was run; teams are promised 30",
    )
    archive_tags: str = Field(
        default="",
        description="tags, comma-separated, of the NATS servers that set-up puts archives on",
    )
    orders_kept_max: int = Field(
        default=0,
        ge=0,
        description="orders whose events NATS has the memory for: from 80 % on the owner of the "
        "stream is degraded; 0: not known",
    )

    token_life_max_s: int = Field(
        default=TOKEN_LIFE_MAX_S,
        ge=60,
        description="seconds that an access token is believed at most; its withdrawal is "
        "remembered for a day more",
    )

    @field_validator("admin_port")
    @classmethod
    def _is_another_port(cls, port: int, known: ValidationInfo) -> int:
        if port == known.data.get("http_port"):
            raise ValueError("is COMANDA_HTTP_PORT")
        return port

    @property
    def known_hosts(self) -> list[str]:
        """The names by which clients may call the service."""
        return _listed(self.hosts)

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may call the service."""
        return frozenset(_listed(self.allowed_origins))

    @property
    def prefixes(self) -> frozenset[str]:
        """The paths at which gateways have the service."""
        return frozenset(_listed(self.gateway_prefixes))

    @property
    def archive_server_tags(self) -> list[str]:
        """The tags of the servers that archives are to be on; none: any servers."""
        return _listed(self.archive_tags)

    @property
    def nats_servers(self) -> NatsServers:
        """The NATS servers, and who we are to them."""
        return self._servers(self.nats_url, self.nats_nkey, self.nats_seed)

    @property
    def operator_servers(self) -> NatsServers | None:
        """The NATS servers, and who does what operators ask for; None if nobody does."""
        if not self.operator_nats_url.get_secret_value():
            return None
        return self._servers(
            self.operator_nats_url, self.operator_nats_nkey, self.operator_nats_seed
        )

    def _servers(self, url: SecretStr, nkey: str, seed: SecretStr) -> NatsServers:
        urls = (each.strip() for each in url.get_secret_value().split(","))
        files = {"ca": self.nats_ca, "cert": self.nats_cert, "key": self.nats_key}
        return NatsServers(urls, nkey=nkey, seed=seed.get_secret_value(), **files)


class AccessSettings(BaseSettings):
    """Whose access tokens a service believes; what serves nothing does without them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    jwks: Jwks = Field(
        min_length=1, description="keys of whoever issues tokens: a JWK Set's file or http(s) URL"
    )
    issuer: str = Field(min_length=1, description="issuer of the tokens, their `iss`")
    audience: str = Field(
        default="comanda", min_length=1, description="for whom the tokens are, in their `aud`"
    )
    claim: str = Field(
        default="comanda",
        min_length=1,
        description="claim with the roles by restaurant; from `/` on a JSON pointer to it",
    )
    rate_per_subject: Rate = Field(
        default=RATE_PER_SUBJECT, description="requests of one subject that are answered"
    )
    rate_per_restaurant: Rate = Field(
        default=RATE_PER_RESTAURANT,
        description="requests for one restaurant that are answered; as many of its guests",
    )
    feeds_per_subject: int = Field(
        default=FEEDS_PER_SUBJECT, ge=1, description="live feeds that a subject has open at once"
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings]) -> Settings:
    """Read the settings; end the process with a line for each variable that is missing or wrong."""
    try:
        return settings()
    except ValidationError as error:
        _stop(error)


def _stop(error: ValidationError) -> NoReturn:
    for problem in error.errors(include_input=False, include_url=False):
        name = "".join(str(part) for part in problem["loc"])
        variable = name if name.upper().startswith(PREFIX) else PREFIX + name
        print(f"{variable.upper()}: {problem['msg']}", file=sys.stderr)
    raise SystemExit(2)
