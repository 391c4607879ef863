"""The one place that makes Kafka clients: each logs through the worker's logger.

A client without a logger writes librdkafka's own lines to standard error, which is where the worker's JSON lines go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from worker.adapters.kafka.properties import client_logger

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_consumer(properties: Mapping[str, Any], **callbacks: Any) -> Consumer:
    """A consumer that logs through the worker's logger. Raises KafkaException if a property is refused."""
    return Consumer({**properties, **callbacks, "logger": client_logger()})


def make_producer(properties: Mapping[str, Any]) -> Producer:
    """A producer that logs through the worker's logger. Raises KafkaException if a property is refused."""
    return Producer({**properties, "logger": client_logger()})


def flush(producer: Producer, seconds: float) -> int:
    """Wait until everything is acknowledged or has failed; returns how much is neither after `seconds`.

    Raises:
        KafkaException: the producer failed for good.
    """
    try:
        return producer.flush(seconds)
    except SystemError as error:
        # The binding sets the exception of a fatal error, and then calls delivery callbacks with it set.
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        raise


def make_admin(properties: Mapping[str, Any]) -> AdminClient:
    """An administrative client that logs through the worker's logger: its lines come out when it is polled."""
    return AdminClient(dict(properties), logger=client_logger())
