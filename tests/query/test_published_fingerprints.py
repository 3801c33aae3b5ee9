"""What an audit keeps of the streams: of each part the newest, in the order that MongoDB has."""

import functools

from hypothesis import given
from hypothesis import strategies as st
from query.maintenance import fingerprints
from query.maintenance.fingerprints import Fingerprints
from query.maintenance.published import PublishedFingerprints
from query.views.orders.view import merge, view_of

from tests.query.histories import History, histories

KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=3)
PARTS = st.dictionaries(
    st.sampled_from(["order", "tickets.1", "timeline.ordering-1"]),
    st.tuples(st.integers(0, 2**53 - 1) | st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)),
    min_size=1,
)


@given(st.lists(st.lists(st.tuples(KEYS, PARTS), max_size=5), max_size=4))
def test_the_newest_of_each_part_is_kept_and_given_in_the_order_of_keys(
    batches: list[list[tuple[str, Fingerprints]]],
) -> None:
    newest: dict[str, Fingerprints] = {}
    for key, parts in (each for batch in batches for each in batch):
        known = newest.setdefault(key, {})
        for name, fingerprint in parts.items():
            known[name] = max(fingerprint, known.get(name, fingerprint))

    with PublishedFingerprints() as published:
        for batch in batches:
            published.keep_newest(batch)
        found = list(published.by_key())

    assert found == sorted(newest.items())
    assert [key for key, _ in found] == sorted(newest, key=str.encode)


@given(histories())
def test_what_is_kept_of_each_event_is_what_is_stored_of_all(history: History) -> None:
    stored = fingerprints.of_order(functools.reduce(merge, map(view_of, history)))

    with PublishedFingerprints() as published:
        for event in history:
            published.keep_newest([("an-order", fingerprints.of_order(view_of(event)))])
        found = list(published.by_key())

    assert found == [("an-order", stored)]
