from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.offset_set import OffsetSet, ranges

SPANS = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=12)


@given(st.integers(0, 20), st.integers(0, 40), SPANS)
def test_it_contains_the_offsets_that_were_added_within_its_bounds(
    first: int, size: int, spans: list[tuple[int, int]]
) -> None:
    offsets, expected = OffsetSet(first, first + size), set[int]()
    for begin, end in spans:
        offsets.add(begin, end)
        expected |= set(range(begin, end + 1)) & set(range(first, first + size))
    assert list(offsets) == sorted(expected)
    assert len(offsets) == len(expected)
    assert all((each in offsets) is (each in expected) for each in range(-10, 80))


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 60), st.integers(-5, 60)), max_size=12))
def test_offsets_are_added_and_removed_in_any_order(spans: list[tuple[bool, int, int]]) -> None:
    offsets, expected = OffsetSet(3, 50), set[int]()
    for adds, begin, end in spans:
        span = set(range(max(begin, 3), min(end, 49) + 1))
        expected = expected | span if adds else expected - span
        (offsets.add if adds else offsets.remove)(begin, end)
    assert set(offsets) == expected


@given(SPANS, SPANS)
def test_differences_and_intersections_equal_those_of_the_sets(
    some: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    left, right = OffsetSet(3, 50), OffsetSet(3, 50)
    for begin, end in some:
        left.add(begin, end)
    for begin, end in others:
        right.add(begin, end)
    assert set(left - right) == set(left) - set(right)
    assert set(left & right) == set(left) & set(right)


@given(st.sets(st.integers(0, 60)))
def test_ranges_are_as_few_as_possible_and_cover_the_same_offsets(offsets: set[int]) -> None:
    found = list(ranges(sorted(offsets)))
    assert {each for first, last in found for each in range(first, last + 1)} == offsets
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))


def test_a_million_offsets_take_an_eighth_of_a_megabyte() -> None:
    assert len(OffsetSet(10**12, 10**12 + 10**6)._bits) == 125_000
