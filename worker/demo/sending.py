"""How a sample becomes a record."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from worker.demo.events import Sample


def send(
    producer: Producer, sample: Sample, acknowledged: Callable[[KafkaError | None, Message], None]
) -> None:
    """Hand one sample to the producer, as of now; it tells later whether Kafka has it."""
    producer.produce(
        sample.topic,
        key=sample.key,
        value=sample.value,
        headers=sample.headers,
        on_delivery=acknowledged,
    )
