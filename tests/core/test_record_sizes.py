"""A fetch is bounded by what is left of the memory limit, by the size of recent records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.core.record_sizes import FIRST_RECORD_BYTES, HALF_LIFE_RECORDS, RecordSizes

SIZES = st.integers(1, FIRST_RECORD_BYTES)


@given(SIZES, st.integers(1, 10_000_000), st.integers(1, 1000))
def test_records_of_one_size_never_exceed_the_limit_by_more_than_one_record(
    size: int, limit: int, most: int
) -> None:
    sizes, in_progress, fetches = RecordSizes(), 0, 0
    while (fetched := min(most, sizes.fitting(limit - in_progress))) and fetches < 100:
        in_progress += fetched * size
        sizes.seen(fetched, fetched * size)
        fetches += 1
    assert in_progress < limit + size


@given(st.lists(st.tuples(st.integers(1, 1000), SIZES), min_size=1, max_size=50), st.integers(1, 100_000_000))
def test_a_fetch_of_records_like_the_latest_fits_whatever_came_before(
    seen: list[tuple[int, int]], room: int
) -> None:
    sizes = RecordSizes()
    for records, size in seen:
        sizes.seen(records, records * size)
    latest = seen[-1][1]
    assert (sizes.fitting(room) - 1) * latest <= room
    assert latest <= sizes.estimate <= max(size for _, size in seen)


@given(st.integers(-1_000_000, 0), SIZES)
def test_no_record_fits_without_capacity(room: int, size: int) -> None:
    sizes = RecordSizes()
    assert sizes.fitting(room) == 0
    sizes.seen(1, size)
    assert sizes.fitting(room) == 0


@given(SIZES, st.integers(1, 1000))
def test_a_record_larger_than_the_limit_is_fetched_alone(size: int, limit: int) -> None:
    sizes = RecordSizes()
    sizes.seen(1, size + limit)
    assert sizes.fitting(limit) == 1


def test_the_size_estimate_decays_per_record_not_per_slice() -> None:
    in_slices, one_by_one = RecordSizes(), RecordSizes()
    for sizes in (in_slices, one_by_one):
        sizes.seen(1, 10_000)
    for _ in range(HALF_LIFE_RECORDS // 250):
        in_slices.seen(250, 250 * 100)
    for _ in range(HALF_LIFE_RECORDS):
        one_by_one.seen(1, 100)
    assert round(in_slices.estimate) == round(one_by_one.estimate) == 5050


def test_records_that_are_not_mapped_yet_count_with_their_calls() -> None:
    sizes = RecordSizes()
    assert sizes.expected(3, 900) == 1800
    sizes.seen(1, 1000)
    assert sizes.expected(3, 900) == 3000
    assert sizes.expected(0, 0) == 0
