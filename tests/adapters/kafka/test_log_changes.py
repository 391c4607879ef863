"""Reports of out-of-range positions. On a real Kafka, whether one comes twice depends on what the client has queued."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import TopicPartition

from worker.adapters.kafka.log_changes import LogChanges
from worker.pipeline.ports import Fetched

PARTITION = ("orders", 0)
FIRST, BEYOND = 5, 1_010


class Brokers:
    """A log that begins at `FIRST`, and what is done about reports."""

    def __init__(self) -> None:
        self.restarts: list[tuple[str, int]] = []
        self.changes = LogChanges(
            cast("Any", SimpleNamespace(offsets_for_times=self._begin)),
            cast(
                "Any",
                SimpleNamespace(
                    assignment=SimpleNamespace(partitions=[PARTITION], topic_ids=dict),
                    restart=self.restarts.extend,
                ),
            ),
            cast("Any", SimpleNamespace(changed=lambda _: [])),
            cast("Any", None),
            cast("Any", None),
        )

    def report(self, position: int) -> None:
        self.changes.out_of_range(PARTITION, position)
        self.changes.handle(Fetched())

    @staticmethod
    def _begin(asked: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(each.topic, each.partition, FIRST) for each in asked]


def test_a_position_that_is_reported_twice_restarts_the_partition_once() -> None:
    brokers = Brokers()
    brokers.report(BEYOND)
    brokers.report(BEYOND)
    assert brokers.restarts == [PARTITION]


def test_another_position_or_a_third_report_restarts_it_again() -> None:
    brokers = Brokers()
    brokers.report(BEYOND)
    brokers.report(BEYOND + 1)
    assert len(brokers.restarts) == 2
    brokers.report(BEYOND + 1)
    brokers.report(BEYOND + 1)
    assert len(brokers.restarts) == 3
