from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.message_id import ALPHABET, PAIRS, MessageIds, Middles, beginning, coordinates_in, ends

ULID = re.compile(f"[0-7][{ALPHABET}]{{25}}")

times = st.integers(-1, 2**48 - 1)
offsets = st.integers(0, 2**42 - 1)
indexes = st.integers(0, 255)
names = st.sampled_from(["", "Signed Up", "Order Completed"]) | st.text(max_size=5)
coordinates = st.tuples(
    times,
    st.sampled_from(["orders", "people"]),
    st.integers(0, 99),
    offsets,
    st.just("track"),
    names,
    indexes,
)


def bits_of(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + ALPHABET.index(character)
    return number


@given(coordinates)
def test_an_id_holds_the_time_the_offset_and_the_index(
    where: tuple[int, str, int, int, str, str, int],
) -> None:
    time, _, _, offset, _, _, index = where
    bits = bits_of(MessageIds("c").for_record(*where))
    assert bits >> 80 == max(time, 0)
    assert bits & (1 << 50) - 1 == offset << 8 | index


@given(st.lists(coordinates, max_size=30))
def test_an_id_depends_on_nothing_but_its_coordinates(
    several: list[tuple[int, str, int, int, str, str, int]],
) -> None:
    used = MessageIds("c")
    ids = [used.for_record(*where) for where in several]
    assert ids == [MessageIds("c").for_record(*where) for where in several]
    assert all(ULID.fullmatch(text) for text in ids)


@given(st.sets(st.tuples(offsets, indexes), max_size=50), st.data())
def test_calls_of_a_partition_never_share_an_id(places: set[tuple[int, int]], data: st.DataObject) -> None:
    ids = MessageIds("c")
    made = {
        ids.for_record(data.draw(times), "orders", 3, offset, "track", data.draw(names), index)
        for offset, index in places
    }
    assert len(made) == len(places)


@given(st.lists(times, min_size=2, max_size=10), offsets)
def test_ids_sort_by_the_time_of_their_records(moments: list[int], offset: int) -> None:
    ids = MessageIds("c")
    made = [ids.for_record(time, "orders", 0, offset, "track", "", 0) for time in sorted(moments)]
    assert made == sorted(made)


def test_cluster_topic_partition_type_and_name_each_make_another_id() -> None:
    base = MessageIds("c").for_record(1, "orders", 0, 7, "track", "a", 0)
    others = {
        MessageIds("d").for_record(1, "orders", 0, 7, "track", "a", 0),
        MessageIds("c").for_record(1, "order", 0, 7, "track", "a", 0),
        MessageIds("c").for_record(1, "orders", 1, 7, "track", "a", 0),
        MessageIds("c").for_record(1, "orders", 0, 7, "page", "a", 0),
        MessageIds("c").for_record(1, "orders", 0, 7, "track", "b", 0),
    }
    assert len(others | {base}) == 6


def test_an_id_is_the_same_in_every_release() -> None:
    """Replays of old dead letters rely on it: never change what these say."""
    assert (
        MessageIds("cluster").for_record(1763719200000, "orders", 1, 5, "track", "Signed Up", 2)
        == "01KAJXPF80KVS4PY0000000182"
    )
    assert MessageIds.for_event("evt-1", "track", "Signed Up", 2) == "5QSR60Q462W2CAC3KXR4WG39X3"


@given(st.text(max_size=20), names, indexes)
def test_an_events_own_id_makes_a_ulid_without_coordinates(event_id: str, name: str, index: int) -> None:
    made = MessageIds.for_event(event_id, "track", name, index)
    assert ULID.fullmatch(made)
    assert made == MessageIds("any").for_event(event_id, "track", name, index)


@given(
    st.lists(
        st.tuples(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), indexes),
        unique=True,
        max_size=20,
    )
)
def test_events_that_differ_in_anything_have_different_ids(events: list[tuple[str, str, str, int]]) -> None:
    assert len({MessageIds.for_event(*event) for event in events}) == len(events)


@pytest.mark.parametrize("index", [-1, 256])
def test_message_ids_distinguish_at_most_256_calls_of_a_record(index: int) -> None:
    with pytest.raises(ValueError, match="index"):
        MessageIds("c").for_record(1, "orders", 0, 7, "track", "", index)
    with pytest.raises(ValueError, match="index"):
        MessageIds.for_event("e", "track", "", index)


def test_a_long_name_is_not_kept_and_gets_the_same_id_each_time() -> None:
    ids = MessageIds("cluster")
    place = (0, "topic", 0, 0, "track")
    made = {ids.for_record(*place, "n" * 10_000, 0) for _ in range(2)}
    assert len(made) == 1
    assert made != {ids.for_record(*place, "n" * 9_999, 0)}
    assert ids._hashes == {}


def test_the_cache_of_names_is_bounded() -> None:
    ids = MessageIds("c")
    for n in range(10_050):
        ids.for_record(1, "orders", 0, 7, "track", str(n), 0)
    assert len(ids._hashes) <= 10_000


def test_the_names_kept_for_a_partition_are_few_and_short() -> None:
    _, named = Middles(MessageIds("c"), "orders", []).of(0, 7)
    for n in range(1_000):
        assert named["track", str(n)] == named["track", str(n)]
    assert 0 < len(named) <= 100
    named.clear()
    assert named["track", "n" * 257] == named["track", "n" * 257]
    assert not named


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**50) | st.integers(0, 3_000),
            st.integers(0, 2),
            st.integers(0, 2**50) | st.integers(0, 9_000),
        ),
        max_size=12,
    ),
    st.lists(st.tuples(st.sampled_from(["track", "page"]), names), min_size=1, max_size=4),
    indexes,
)
def test_an_id_assembled_from_cached_parts_is_the_same(
    places: list[tuple[int, int, int]], calls: list[tuple[str, str]], index: int
) -> None:
    ids = MessageIds("cluster")
    middles = Middles(ids, "orders", calls)
    for time, partition, offset in places:
        for n, call in enumerate(calls):
            listed, named = middles.of(partition, offset)
            for middle in (listed[n], named[call], named[call]):
                assert ids.for_record(time, "orders", partition, offset, *call, index) == (
                    beginning(time) + PAIRS[time & 1023] + middle + ends(index)[offset & 4095]
                )


@given(times, offsets, indexes)
def test_time_offset_and_index_are_read_back_from_an_id(millis: int, offset: int, index: int) -> None:
    made = MessageIds("c").for_record(millis, "orders", 0, offset, "track", "Signed Up", index)
    assert coordinates_in(made) == coordinates_in(made.lower()) == (max(millis, 0), offset, index)


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "U", "0" * 25 + "é"])
def test_other_text_is_no_id(text: str) -> None:
    assert coordinates_in(text) is None
