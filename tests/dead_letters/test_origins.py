from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.origins import Origins

PLACES = st.tuples(st.integers(0, 3), st.integers(0, 50))


@given(st.lists(st.tuples(st.integers(0, 9), PLACES), unique_by=lambda each: each[1], max_size=60))
def test_every_dead_letter_of_a_record_except_the_newest_is_superseded(
    added: list[tuple[int, tuple[int, int]]],
) -> None:
    origins, superseded = Origins(), set[tuple[int, int]]()
    for record, place in added:
        older = origins.add(b"%d" % record, *place)
        if older is not None:
            superseded.add(older)
    newest = {record: max(place for each, place in added if each == record) for record, _ in added}
    assert superseded == {place for _, place in added} - set(newest.values())
    assert len(origins) == len(newest)


def test_no_record_is_lost_when_the_table_grows() -> None:
    origins = Origins()
    for n in range(20_000):
        assert origins.add(b"%d" % n, 5, n) is None
    assert all(origins.add(b"%d" % n, 5, 20_000 + n) == (5, n) for n in range(20_000))
