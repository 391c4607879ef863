"""When a partition counts as stalled."""

from __future__ import annotations

from worker.adapters.kafka.stalls import BUSY_FACTOR, STALL_SECONDS, StallDetector

PARTITION = ("t", 0)
LATER = STALL_SECONDS + 1


def test_a_partition_that_does_not_advance_is_stalled_if_its_end_is_beyond_its_position() -> None:
    detector = StallDetector()
    assert detector.look(0, {PARTITION: 5}, busy=False) == []
    assert detector.look(LATER, {PARTITION: 5}, busy=False) == [PARTITION]
    assert detector.judge(LATER, [PARTITION], {PARTITION: 9}) == [PARTITION]
    assert detector.stalled == {PARTITION}
    assert detector.look(LATER + 1, {PARTITION: 6}, busy=False) == []
    assert detector.stalled == set()


def test_a_partition_at_its_end_is_not_stalled_even_behind_transaction_markers() -> None:
    detector = StallDetector()
    detector.look(0, {PARTITION: 5}, busy=False)
    detector.reached_end(PARTITION, 7)
    assert detector.look(LATER, {PARTITION: 5}, busy=False) == [PARTITION]
    assert detector.judge(LATER, [PARTITION], {PARTITION: 7}) == []


def test_time_with_memory_full_does_not_count() -> None:
    detector = StallDetector()
    detector.look(0, {PARTITION: 5}, busy=False)
    detector.no_room()
    assert detector.look(LATER, {PARTITION: 5}, busy=False) == []


def test_the_wait_is_longer_while_every_poll_returns_records() -> None:
    detector = StallDetector()
    detector.look(0, {PARTITION: 5}, busy=True)
    assert detector.look(LATER, {PARTITION: 5}, busy=True) == []
    assert detector.look(BUSY_FACTOR * LATER, {PARTITION: 5}, busy=True) == [PARTITION]


def test_each_restart_that_does_not_help_doubles_the_wait() -> None:
    detector = StallDetector()
    detector.look(0, {PARTITION: 5}, busy=False)
    detector.look(LATER, {PARTITION: 5}, busy=False)
    detector.judge(LATER, [PARTITION], {PARTITION: 9})
    assert detector.look(2 * LATER, {PARTITION: 5}, busy=False) == []
    assert detector.look(3 * LATER, {PARTITION: 5}, busy=False) == [PARTITION]


def test_a_partition_that_is_no_longer_assigned_is_forgotten() -> None:
    detector = StallDetector()
    detector.look(0, {PARTITION: 5}, busy=False)
    detector.judge(LATER, detector.look(LATER, {PARTITION: 5}, busy=False), {PARTITION: 9})
    detector.look(LATER + 1, {}, busy=False)
    assert detector.stalled == set()
