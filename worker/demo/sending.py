"""Produces samples to Kafka."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from worker.demo.events import Sample


def send(
    producer: Producer, sample: Sample, acknowledged: Callable[[KafkaError | None, Message], None]
) -> None:
    """Produce one sample; `acknowledged` is called with the result."""
    producer.produce(
        sample.topic,
        key=sample.key,
        value=sample.value,
        headers=sample.headers,
        timestamp=sample.record_timestamp,
        on_delivery=acknowledged,
    )
