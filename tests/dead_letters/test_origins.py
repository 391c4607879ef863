from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.origins import Origins

PLACES = st.tuples(st.integers(0, 3), st.integers(0, 50))


@given(st.lists(st.tuples(st.integers(0, 9), PLACES), unique_by=lambda each: each[1], max_size=60))
def test_of_all_letters_of_a_record_only_the_newest_is_never_answered(
    noted: list[tuple[int, tuple[int, int]]],
) -> None:
    origins, superseded = Origins(), set[tuple[int, int]]()
    for record, place in noted:
        older = origins.note(b"%d" % record, *place)
        if older is not None:
            superseded.add(older)
    newest = {record: max(place for each, place in noted if each == record) for record, _ in noted}
    assert superseded == {place for _, place in noted} - set(newest.values())
    assert len(origins) == len(newest)


def test_growing_forgets_nobody() -> None:
    origins = Origins()
    for n in range(20_000):
        assert origins.note(b"%d" % n, 5, n) is None
    assert all(origins.note(b"%d" % n, 5, 20_000 + n) == (5, n) for n in range(20_000))
