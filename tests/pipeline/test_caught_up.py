"""Caught up is judged by positions that the brokers have confirmed."""

from __future__ import annotations

from worker.core.lanes import PartitionState
from worker.pipeline.caught_up import CaughtUp
from worker.pipeline.ports import Fetched, Start

PARTITION = ("orders", 0)


def test_a_committed_offset_beyond_the_end_counts_once_the_brokers_have_returned_something_there() -> None:
    caught_up, state = CaughtUp(), PartitionState(PARTITION, 50, 50)
    caught_up.assigned(PARTITION, Start(50, 50, 3))
    assert not caught_up.holds([state])
    caught_up.fetched(Fetched())
    assert not caught_up.holds([state])
    caught_up.fetched(Fetched(positions={PARTITION: 50}))
    assert caught_up.holds([state])


def test_a_revoked_or_reassigned_partition_is_judged_by_its_latest_assignment() -> None:
    caught_up = CaughtUp()
    caught_up.assigned(PARTITION, Start(50, 50, 3))
    caught_up.assigned(PARTITION, Start(0, None, 3))
    assert not caught_up.holds([PartitionState(PARTITION, 0)])
    state = PartitionState(PARTITION, 3, 3)
    assert caught_up.holds([state])
    caught_up.assigned(PARTITION, Start(50, 50, 3))
    caught_up.forget(PARTITION)
    assert caught_up.holds([])
