"""Looks up start offsets so that a deleted or forbidden topic does not hold the others up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from worker.adapters.kafka.client_errors import ONE_TOPIC
from worker.adapters.kafka.start_offsets import StartOffsets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import KafkaError

    from worker.core.records import Partition


def look_up_by_topic(
    look_up: Callable[[Sequence[Partition]], StartOffsets], partitions: Sequence[Partition]
) -> tuple[StartOffsets, dict[str, KafkaError]]:
    """Look up all partitions at once; if a topic is refused, each topic separately.

    Args:
        look_up: asks the brokers about some partitions, and fails for all of them together.
        partitions: to look up.

    Returns:
        The start offsets of all other topics, and the error of each refused topic.

    Raises:
        KafkaException: a broker did not answer, or refused more than topics.
    """
    try:
        return look_up(partitions), {}
    except KafkaException as error:
        if error.args[0].code() not in ONE_TOPIC:
            raise
    starts = StartOffsets({}, {})
    refused = {}
    for topic in {topic for topic, _ in partitions}:
        try:
            of_topic = look_up([each for each in partitions if each[0] == topic])
        except KafkaException as error:
            if error.args[0].code() not in ONE_TOPIC:
                raise
            refused[topic] = error.args[0]
        else:
            starts.found.update(of_topic.found)
            starts.lost.update(of_topic.lost)
            starts.notes.update(of_topic.notes)
            starts.restarted.extend(of_topic.restarted)
    return starts, refused
