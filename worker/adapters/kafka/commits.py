"""One commit with a result per partition: a deleted or forbidden topic fails only its own commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from worker.adapters.kafka.client_errors import ONE_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.adapters.kafka.commit_notes import CommitNote
    from worker.core.records import Partition


def commit(
    consumer: Consumer, offsets: Mapping[Partition, int], notes: Mapping[Partition, CommitNote]
) -> dict[Partition, KafkaError | None]:
    """Commit these offsets and wait for the coordinator's response.

    librdkafka bounds the wait: `session.timeout.ms` until there is a coordinator, `socket.timeout.ms` for a request.

    Returns:
        For each partition the reason why Kafka refuses it; None if it is committed.

    Raises:
        KafkaException: the coordinator rejects the member, or did not respond.
    """
    if not offsets:
        return {}
    try:
        responses = consumer.commit(offsets=_at(offsets, notes), asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in ONE_TOPIC:
            raise
        # The client raises when all partitions were refused, perhaps for different reasons: ask again by topic.
        if len(topics := {topic for topic, _ in offsets}) == 1:
            return dict.fromkeys(offsets, error.args[0])
        return {
            partition: outcome
            for topic in topics
            for partition, outcome in commit(
                consumer, {each: offset for each, offset in offsets.items() if each[0] == topic}, notes
            ).items()
        }
    for response in responses:
        if response.error is not None and response.error.code() not in ONE_TOPIC:
            raise KafkaException(response.error)
    return {(response.topic, response.partition): response.error for response in responses}


def _at(offsets: Mapping[Partition, int], notes: Mapping[Partition, CommitNote]) -> list[TopicPartition]:
    return [
        TopicPartition(topic, number, offset, notes[topic, number].text())
        if (topic, number) in notes
        else TopicPartition(topic, number, offset)
        for (topic, number), offset in offsets.items()
    ]
