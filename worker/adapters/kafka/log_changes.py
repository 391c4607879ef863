"""What happens where a partition's log is not the one that was being read, or no longer has the next offset.

In all cases reading continues at the log's start:

| what happened | noticed by | and then |
| --- | --- | --- |
| retention deleted unread records | a position below the log's start | the gap is counted as lost |
| the log was truncated | an out-of-range position above the log's start | the partition restarts |
| the topic was deleted and created again | another topic id | the partition restarts |

A partition that restarts is treated as lost and assigned again: nothing that was read or committed counts any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException

from worker.adapters.kafka.start_offsets import offsets_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import KafkaError, Message

    from worker.adapters.kafka.membership import Membership
    from worker.adapters.kafka.rebalance_listener import RebalanceListener
    from worker.adapters.kafka.topic_ids import TopicIds
    from worker.core.records import Partition, Record
    from worker.pipeline.ports import Fetched


class LogChanges:
    """Finds out where reading continues. Runs in the polling thread.

    Args:
        consumer: of the group.
        membership: of the same consumer.
        topic_ids: watches for recreated topics.
        listener: notified of losses.
        on_error: gets errors of the brokers, after which the next fetch tries again.
    """

    def __init__(
        self,
        consumer: Consumer,
        membership: Membership,
        topic_ids: TopicIds,
        listener: RebalanceListener,
        on_error: Callable[[KafkaError], None],
    ) -> None:
        self._consumer = consumer
        self._membership = membership
        self._topic_ids = topic_ids
        self._listener = listener
        self._on_error = on_error
        self._out_of_range: dict[Partition, int] = {}
        self._restarted: dict[Partition, int] = {}

    def __bool__(self) -> bool:
        return bool(self._out_of_range)

    def out_of_range(self, partition: Partition, position: int) -> None:
        """The client reported that the log does not have this position.

        It may report a position twice, the second time after the partition was restarted because of the first. Only one
        report is ignored: if it was new after all, the fetch is restarted as a stalled one and reported once more.
        """
        if self._restarted.pop(partition, None) != position:
            self._out_of_range[partition] = position

    def handle(self, fetched: Fetched) -> None:
        """Continue partitions where they have to; what was fetched of a log that is gone is removed."""
        self._continue_out_of_range(fetched)
        self._restart_recreated(fetched)

    def _continue_out_of_range(self, fetched: Fetched) -> None:
        while self._out_of_range:
            partition, position = self._out_of_range.popitem()
            if partition not in self._membership.assignment.partitions:
                continue
            try:
                first = offsets_at(self._consumer, [partition], OFFSET_BEGINNING)[partition]
                if position > first:
                    self._restart([partition], fetched)
                    self._restarted[partition] = position
                    continue
                self._membership.assignment.read_from({partition: first})
            except KafkaException as error:
                self._on_error(error.args[0])
                self._out_of_range[partition] = position  # the next fetch tries again
                return
            fetched.positions[partition] = first
            self._listener.records_lost(partition, first - position)

    def _restart_recreated(self, fetched: Fetched) -> None:
        owned = self._membership.assignment
        for topic in self._topic_ids.changed(owned.topic_ids):
            try:
                self._restart([each for each in owned.partitions if each[0] == topic], fetched)
            except KafkaException as error:
                self._on_error(error.args[0])  # the next response reports the change again

    def _restart(self, partitions: list[Partition], fetched: Fetched) -> None:
        self._membership.restart(partitions)
        restarted = set(partitions)
        fetched.records = [each for each in fetched.records if partition_of(each) not in restarted]
        for partition in restarted:
            fetched.positions.pop(partition, None)
            self._out_of_range.pop(partition, None)


def partition_of(message: Message | Record) -> Partition:
    """The partition of a message; the client's types allow none, but it always has one."""
    return message.topic() or "", message.partition() or 0
