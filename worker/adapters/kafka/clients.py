"""The one place that makes Kafka clients, so that each logs through the worker's logger.

A client without a logger writes librdkafka's own lines to standard error, between the worker's JSON lines.
"""

from __future__ import annotations

from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from worker.adapters.kafka.client_log import OnLine, client_logger
from worker.adapters.kafka.error_codes import TIMED_OUT
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.adapters.kafka.tokens import TokenSource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def make_consumer(properties: Mapping[str, Any], on_line: OnLine | None = None, **callbacks: Any) -> Consumer:
    """A consumer that logs through the worker's logger, and tells `on_line` each of its lines.

    Raises:
        KafkaException: a property is refused, or there is no token (`kafka.auth`).
    """
    _require_token(properties)
    return Consumer({**properties, **callbacks, "logger": client_logger(on_line)})


def make_producer(properties: Mapping[str, Any], on_line: OnLine | None = None) -> Producer:
    """A producer that logs through the worker's logger. Raises as `make_consumer` does."""
    _require_token(properties)
    return Producer({**properties, "logger": client_logger(on_line)})


def flush(producer: Producer, seconds: float) -> int:
    """Wait until every record is acknowledged or has failed; returns how many are neither after `seconds`.

    Raises:
        KafkaException: the producer is in a terminal state.
    """
    try:
        return producer.flush(seconds)
    except SystemError as error:
        # On a fatal error, the binding calls delivery callbacks with the exception already set.
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        raise


def make_admin(properties: Mapping[str, Any], on_line: OnLine | None = None) -> AdminClient:
    """An administrative client that logs through the worker's logger; it hands its lines over when it is polled.

    Raises as `make_consumer` does.
    """
    _require_token(properties)
    return AdminClient(dict(properties), logger=client_logger(on_line))


def wait_for(responses: Collection[Future[Any]], seconds: float = RESPONSE_SECONDS) -> None:
    """Wait until an administrative client has completed all of these.

    Its own request timeout completes them earlier. This is the limit if it does not.

    Raises:
        KafkaException: some are still pending after `seconds`.
    """
    if wait(responses, seconds).not_done:
        raise KafkaException(KafkaError(TIMED_OUT))


def _require_token(properties: Mapping[str, Any]) -> None:
    if isinstance(source := properties.get("oauth_cb"), TokenSource):
        source.require()
