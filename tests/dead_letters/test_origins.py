from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.origins import Origins, Place

PLACES = st.builds(Place, st.integers(0, 3), st.integers(0, 50))


@given(st.lists(st.tuples(st.integers(0, 9), PLACES), unique_by=lambda each: each[1][:2], max_size=60))
def test_every_dead_letter_of_a_record_except_the_newest_is_older(added: list[tuple[int, Place]]) -> None:
    origins, older = Origins(), set[Place]()
    # The time of writing decides between partitions; within one, the clock may go backwards.
    timed = [(record, place._replace(seconds=place.offset * 4 + place.partition)) for record, place in added]
    for record, place in timed:
        pair = origins.add(b"%d" % record, place)
        if pair is not None:
            older.add(pair[0])
            assert pair[1].is_newer_than(pair[0])
    newest = {
        record: max((place for each, place in timed if each == record), key=lambda place: place.seconds)
        for record, _ in timed
    }
    assert older == {place for _, place in timed} - set(newest.values())
    assert len(origins) == len(newest)


def test_within_a_partition_the_offset_decides_whatever_the_clock_said() -> None:
    assert Place(0, 5, seconds=1).is_newer_than(Place(0, 4, seconds=9))
    assert Place(0, 4, seconds=9).is_newer_than(Place(1, 50, seconds=8))


def test_no_record_is_lost_when_the_table_grows() -> None:
    origins = Origins()
    for n in range(20_000):
        assert origins.add(b"%d" % n, Place(5, n)) is None
    assert all(
        origins.add(b"%d" % n, Place(5, 20_000 + n)) == ((5, n, 0), (5, 20_000 + n, 0)) for n in range(20_000)
    )
