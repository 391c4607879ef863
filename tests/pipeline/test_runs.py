from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory_source import MemoryRecord
from worker.core.records import Record
from worker.pipeline.backlog import runs


def place(record: Record) -> tuple[str, int]:
    return record.topic(), record.partition()


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1))))
def test_a_run_is_the_longest_sequence_of_records_of_one_partition(partitions: list[tuple[str, int]]) -> None:
    records = [MemoryRecord(partition, offset) for offset, partition in enumerate(partitions)]
    found = list(runs(records))
    assert [record for run in found for record in run] == records
    assert all(len(set(map(place, run))) == 1 for run in found)
    assert all(place(one[0]) != place(other[0]) for one, other in pairwise(found))
