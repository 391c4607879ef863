"""Looks start offsets up so that a topic that was deleted, or is forbidden, does not keep the others waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from worker.adapters.kafka.client_errors import ONE_TOPIC
from worker.adapters.kafka.start_offsets import Starts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from confluent_kafka import KafkaError

    from worker.core.records import Partition


def look_up_by_topic(
    look_up: Callable[[Sequence[Partition]], Starts], partitions: Sequence[Partition]
) -> tuple[Starts, dict[str, KafkaError]]:
    """Look all up at once; if one topic is refused, each topic by itself.

    Args:
        look_up: asks the brokers for some partitions, and fails for all of them together.
        partitions: to look up.

    Returns:
        The starts of all other topics, and why each of the refused ones is.

    Raises:
        KafkaException: a broker did not answer, or refused more than topics.
    """
    try:
        return look_up(partitions), {}
    except KafkaException as error:
        if error.args[0].code() not in ONE_TOPIC:
            raise
    starts = Starts({}, {})
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
