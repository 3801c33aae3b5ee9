"""What a guest is shown of his order has no phone number, nobody's name but his, and no reason."""

import functools
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from query.api.http.responses import as_json
from query.api.http.schema import OrderView
from query.views.orders.guest_view import redacted
from query.views.orders.presentation import present_order
from query.views.orders.view import document, merge, view_of

from tests.query.builders import an_order, its_ticket, news_of, placed
from tests.query.histories import History, histories

HIDDEN = {"phone", "actor", "reason"}


@given(histories(), st.randoms(use_true_random=False))
def test_no_phone_actor_or_reason_survives(history: History, shuffle: random.Random) -> None:
    secret = [_with_secrets(event, n) for n, event in enumerate(history)]
    shuffle.shuffle(secret)
    stored = document(functools.reduce(merge, map(view_of, secret)))
    if "order" not in stored:
        return

    shown = redacted(present_order(stored))

    assert "secret" in str(present_order(stored))
    assert "secret" not in str(shown)
    assert all(value is None for name, value in _fields(shown) if name in HIDDEN)


@given(histories())
def test_it_is_the_order_but_for_those(history: History) -> None:
    stored = document(functools.reduce(merge, map(view_of, history)))
    if "order" not in stored:
        return

    assert _without(redacted(present_order(stored))) == _without(present_order(stored))


def test_a_field_that_is_new_is_not_shown() -> None:
    order = an_order()
    stored = document(merge(view_of(placed(order)), view_of(news_of(its_ticket(order)))))
    stored["order"]["rounds"][0]["tip"] = "secret"
    stored["order"]["email"] = "secret"
    for entry in stored["timeline"].values():
        entry["device"] = "secret"

    assert "secret" not in str(redacted(present_order(stored)))


def test_it_has_the_shape_of_the_order_view() -> None:
    shown = redacted(present_order(document(view_of(placed(an_order())))))

    OrderView.model_validate_json(as_json(shown))


def _with_secrets(event: Any, n: int) -> Any:
    """The event with what a guest is not shown, each of it telling."""
    changed: dict[str, Any] = {"actor": f"secret actor {n}"}
    if getattr(event, "reason", None) is not None:
        changed["reason"] = f"secret reason {n}"
    if hasattr(event, "order"):
        order = event.order.model_copy(update={"phone": f"secret phone {n}"})
        if order.cancellation:
            cancellation = order.cancellation.model_copy(update={"reason": f"secret reason {n}"})
            order = order.model_copy(update={"cancellation": cancellation})
        changed["order"] = order
    return event.model_copy(update=changed)


def _fields(shown: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(shown, dict):
        for name, value in shown.items():
            yield name, value
            yield from _fields(value)
    elif isinstance(shown, list):
        for each in shown:
            yield from _fields(each)


def _without(shown: Any) -> Any:
    if isinstance(shown, dict):
        return {name: _without(value) for name, value in shown.items() if name not in HIDDEN}
    return [_without(each) for each in shown] if isinstance(shown, list) else shown
