"""Writes dead letters to their topic, and waits for each acknowledgement.

Blocking calls run in a single separate thread. A failed write is returned as a reason, not raised.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException

from worker.adapters.kafka.clients import flush, make_producer
from worker.adapters.kafka.fatal_errors import can_heal, describe, is_fatal, renewal_backoff
from worker.adapters.kafka.properties import producer_properties
from worker.adapters.kafka.timeouts import DELIVERY_MARGIN_SECONDS, RESPONSE_SECONDS
from worker.adapters.kafka.topic_checks import look_for_dead_letter_problems
from worker.dead_letters.headers import Headers, digest, headers_of, with_replay_counted
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from confluent_kafka import Message, Producer

    from worker.core.records import Record
    from worker.dead_letters.failed_record import FailedRecord
    from worker.documents.problems import Problem
    from worker.settings import Kafka
    from worker.telemetry.telemetry import Telemetry

    Delivered = Callable[[KafkaError | None, Message], None]

T = TypeVar("T")

METADATA_AGE_SECONDS = 60.0
"""How old that metadata may be: partitions may be added to the topic while the worker runs."""

PARTITION_ANY = -1
"""Chooses the partition by the key (librdkafka's `RD_KAFKA_PARTITION_UA`)."""

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_TIMED_OUT = KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - documented name


class Variant(NamedTuple):
    """One way to write a dead letter: complete, or without parts that make it too large."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class TopicUnknownError(Exception):
    """The brokers did not describe the dead-letter topic; a later attempt may succeed."""


class DeadLetterTopic:
    """Implements `ports.DeadLetters`.

    Args:
        kafka: the settings of that name.
        telemetry: notified of what was written and what was not.
        replaying: whether the records are dead letters that fail again: they keep their original coordinates.

    Attributes:
        cluster_id: the cluster that the records come from; must be set before the first write. A replay computes the
            same message ids from it.
    """

    def __init__(self, kafka: Kafka, telemetry: Telemetry, *, replaying: bool = False) -> None:
        self.cluster_id = ""
        self._kafka = kafka
        self._topic = kafka.dead_letter_topic
        self._telemetry = telemetry
        self._replaying = replaying
        self._properties = producer_properties(kafka)
        timeout = self._properties.get("delivery.timeout.ms") or self._properties["message.timeout.ms"]
        self._flush_timeout = int(timeout) / 1000 + DELIVERY_MARGIN_SECONDS
        self._thread = ThreadPoolExecutor(1, "dead-letters")
        self._producer: Producer | None = None
        self._partitions = 0
        self._partitions_at = 0.0
        self._backoff = renewal_backoff()
        self._renewal: tuple[float, KafkaError] | None = None
        self._fatal_error: KafkaError | None = None

    async def check(self, subscriptions: Sequence[str]) -> list[Problem]:
        """Ask the brokers for problems that would keep the topic from accepting dead letters of these source topics.

        Raises:
            TopicUnknownError: the brokers do not respond, or do not know the topic yet.
        """
        try:
            return await self._in_thread(look_for_dead_letter_problems, self._kafka, subscriptions)
        except KafkaException as error:
            raise TopicUnknownError(_reason(error.args[0])) from None

    async def write(self, letters: Sequence[FailedRecord]) -> list[str | None]:
        """See `ports.DeadLetters.write`.

        Returns within the delivery timeout; a dead letter that is too large takes as long again for each variant.

        Raises:
            SourceFailed: the producer can never write with these settings.
        """
        reasons = await self._in_thread(self._write, letters)
        # A fatal error is reported here, on the event loop, where everything else is counted.
        if self._fatal_error is not None:
            failure, self._fatal_error = self._fatal_error, None
            if not can_heal(failure):
                raise SourceFailed(describe(failure))
            self._telemetry.kafka_client_failed("producer", describe(failure))
        written = Counter(
            (letter.reason, letter.record.topic())
            for letter, reason in zip(letters, reasons, strict=True)
            if reason is None
        )
        for (reason, topic), n in written.items():
            self._telemetry.dead_letters_written(n, reason, topic)
        for why, n in Counter(reason for reason in reasons if reason is not None).items():
            self._telemetry.dead_letters_failed(n, why)
        return reasons

    async def close(self) -> None:
        """Flush and close."""
        await self._in_thread(self._drop_producer)
        self._thread.shutdown(wait=False)

    def _in_thread(self, call: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(call, *arguments))

    # Everything below runs in the thread.

    def _write(self, letters: Sequence[FailedRecord]) -> list[str | None]:
        try:
            outcomes = self._write_all(self._connected(), letters)
        except KafkaException as error:
            outcomes = [error.args[0]] * len(letters)
        self._renew_after(
            [error for error in outcomes if error is not None and error.code() not in _TOO_LARGE]
        )
        return [None if error is None else _reason(error) for error in outcomes]

    def _renew_after(self, errors: Sequence[KafkaError]) -> None:
        """Drop the producer after errors: a new one reads the topic's metadata afresh, in case it was recreated.

        After a fatal error the new producer is created with a growing delay, because the error is likely to return.
        """
        if not errors:
            return
        self._drop_producer()
        fatal = next((error for error in errors if is_fatal(error)), None)
        if fatal is not None and self._renewal is None:
            now = time.monotonic()
            self._renewal = now + self._backoff.failed(now), fatal
            self._fatal_error = fatal

    def _write_all(self, producer: Producer, letters: Sequence[FailedRecord]) -> list[KafkaError | None]:
        variants = [list(self._variants(letter)) for letter in letters]
        outcomes = self._produce(producer, letters, [each[0] for each in variants])
        for index, error in enumerate(outcomes):
            if error is not None and error.code() in _TOO_LARGE:
                outcomes[index] = self._write_alone(producer, letters[index], variants[index])
        return outcomes

    def _connected(self) -> Producer:
        if self._renewal is not None:
            due, failure = self._renewal
            if time.monotonic() < due:
                raise KafkaException(failure)
            self._renewal = None
        producer = self._producer or make_producer(self._properties)
        if self._producer is None or time.monotonic() - self._partitions_at > METADATA_AGE_SECONDS:
            found = producer.list_topics(self._topic, timeout=RESPONSE_SECONDS).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
            self._partitions = len(found.partitions)
            self._partitions_at = time.monotonic()
            self._producer = producer
        return producer

    def _variants(self, letter: FailedRecord) -> Iterator[Variant]:
        """Ways to write a dead letter, each smaller than the one before; the last is accepted by any topic."""
        key, value = letter.record.key(), letter.record.value()
        headers = headers_of(letter, self.cluster_id, replaying=self._replaying)
        yield Variant(key, value, [*headers.own, *headers.ours])
        yield Variant(key, value, [*headers.own, *headers.without()])
        if self._replaying:  # the topic accepted the previous dead letter with its value
            yield Variant(key, value, with_replay_counted(letter.record))
        without_value = [*headers.without("value"), *digest(value)]
        yield Variant(key, None, [*headers.own, *without_value])
        yield Variant(None, None, [*headers.without("key", "headers", "value"), *digest(value)])

    def _write_alone(
        self, producer: Producer, letter: FailedRecord, variants: list[Variant]
    ) -> KafkaError | None:
        # The complete dead letter is tried once more: it may have been refused for the size of its whole batch.
        for variant in variants:
            outcome = self._produce(producer, [letter], [variant])[0]
            if outcome is None or outcome.code() not in _TOO_LARGE:
                break
        return outcome

    def _produce(
        self, producer: Producer, letters: Sequence[FailedRecord], variants: Sequence[Variant]
    ) -> list[KafkaError | None]:
        # A dead letter without a delivery report counts as timed out: it is written again, perhaps twice, but not lost.
        outcomes: list[KafkaError | None] = [KafkaError(_TIMED_OUT)] * len(letters)

        def delivered(index: int, error: KafkaError | None, _: Message) -> None:
            outcomes[index] = error

        for index, (letter, variant) in enumerate(zip(letters, variants, strict=True)):
            try:
                self._enqueue(producer, letter.record, variant, functools.partial(delivered, index))
            except KafkaException as refused:
                outcomes[index] = refused.args[0]
        if flush(producer, self._flush_timeout):
            producer.purge()
            flush(producer, DELIVERY_MARGIN_SECONDS)
        return outcomes

    def _enqueue(self, producer: Producer, record: Record, variant: Variant, delivered: Delivered) -> None:
        # The same partition number as the source, so that dead letters of a key stay in order, if there is such a one.
        number = record.partition()
        partition = number if number < self._partitions else PARTITION_ANY
        while True:
            try:
                producer.produce(
                    self._topic,
                    variant.value,
                    variant.key,
                    partition,
                    delivered,
                    headers=list(variant.headers),
                )
            except BufferError:  # the client's queue is full: wait until it has sent some
                flush(producer, DELIVERY_MARGIN_SECONDS)
            else:
                return

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException):  # in a fatal state a producer cannot be flushed
                flush(producer, self._flush_timeout)


def _reason(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"
