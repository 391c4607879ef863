"""The dead-letter topic: what can never be delivered is kept there, and acknowledged before its offset counts.

Every blocking call runs in one thread of its own. Trouble with the broker is an answer, never an exception.
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
from worker.dead_letters.headers import Headers, as_before, digest, headers_of, left_out
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

PARTITIONS_SECONDS = 60.0
"""How often the topic's partitions are asked for again: it may have got more."""

PARTITION_ANY = -1
"""librdkafka's word for: by the key (`RD_KAFKA_PARTITION_UA`)."""

_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_NO_ANSWER = KafkaError._MSG_TIMED_OUT  # noqa: SLF001 - the client's public name for its own code


class Form(NamedTuple):
    """One way to write a letter: whole, or with less where it is too large."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class NotAnsweredError(Exception):
    """The brokers did not say how the dead-letter topic is; later they may."""


class DeadLetterTopic:
    """Implements `ports.DeadLetters`.

    Args:
        kafka: the settings of that name.
        telemetry: told of what was written and what was not.
        replaying: whether the records are dead letters that fail again: they keep their first origin.

    Attributes:
        cluster_id: where the records are read, set before the first write; a replay needs it to make the same ids.
    """

    def __init__(self, kafka: Kafka, telemetry: Telemetry, *, replaying: bool = False) -> None:
        self.cluster_id = ""
        self._kafka = kafka
        self._topic = kafka.dead_letter_topic
        self._telemetry = telemetry
        self._replaying = replaying
        self._properties = producer_properties(kafka)
        timeout = self._properties.get("delivery.timeout.ms") or self._properties["message.timeout.ms"]
        self._patience = int(timeout) / 1000 + DELIVERY_MARGIN_SECONDS
        self._thread = ThreadPoolExecutor(1, "dead-letters")
        self._producer: Producer | None = None
        self._partitions = 0
        self._partitions_at = 0.0
        self._backoff = renewal_backoff()
        self._renewal: tuple[float, KafkaError] | None = None
        self._failed_for_good: KafkaError | None = None

    async def check(self, subscriptions: Sequence[str]) -> list[Problem]:
        """What keeps the topic from taking every dead letter of these sources. Asks the brokers.

        Raises:
            NotAnsweredError: they do not answer, or not yet.
        """
        try:
            return await self._in_thread(look_for_dead_letter_problems, self._kafka, subscriptions)
        except KafkaException as error:
            raise NotAnsweredError(_reason(error.args[0])) from None

    async def write(self, letters: Sequence[FailedRecord]) -> list[str | None]:
        """See `ports.DeadLetters.write`.

        Answers within the delivery timeout; letters that are too large have as much again for each smaller form.

        Raises:
            SourceFailed: the brokers can never take letters from this client.
        """
        reasons = await self._in_thread(self._write, letters)
        if self._failed_for_good is not None:
            failure, self._failed_for_good = self._failed_for_good, None
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
        self._judge([error for error in outcomes if error is not None and error.code() not in _TOO_LARGE])
        return [None if error is None else _reason(error) for error in outcomes]

    def _judge(self, errors: Sequence[KafkaError]) -> None:
        """After a failure the next write begins with another producer, which asks for the topic as it is now."""
        if not errors:
            return
        self._drop_producer()
        fatal = next((error for error in errors if is_fatal(error)), None)
        if fatal is not None and self._renewal is None:
            now = time.monotonic()
            self._renewal = now + self._backoff.failed(now), fatal
            self._failed_for_good = fatal

    def _write_all(self, producer: Producer, letters: Sequence[FailedRecord]) -> list[KafkaError | None]:
        forms = [list(self._forms(letter)) for letter in letters]
        outcomes = self._produce(producer, letters, [each[0] for each in forms])
        for index, error in enumerate(outcomes):
            if error is not None and error.code() in _TOO_LARGE:
                outcomes[index] = self._write_alone(producer, letters[index], forms[index])
        return outcomes

    def _connected(self) -> Producer:
        if self._renewal is not None:
            due, failure = self._renewal
            if time.monotonic() < due:
                raise KafkaException(failure)
            self._renewal = None
        producer = self._producer or make_producer(self._properties)
        if self._producer is None or time.monotonic() - self._partitions_at > PARTITIONS_SECONDS:
            found = producer.list_topics(self._topic, timeout=RESPONSE_SECONDS).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
            self._partitions = len(found.partitions)
            self._partitions_at = time.monotonic()
            self._producer = producer
        return producer

    def _forms(self, letter: FailedRecord) -> Iterator[Form]:
        """Ways to write a letter, each smaller than the one before; the last fits into any topic."""
        key, value = letter.record.key(), letter.record.value()
        headers = headers_of(letter, self.cluster_id, replaying=self._replaying)
        needed = headers.needed()
        without_value = [*needed, *digest(value)]
        yield Form(key, value, [*headers.own, *headers.ours])
        yield Form(key, value, [*headers.own, *needed])
        if self._replaying:  # the letter that it was had its value: so shall this one
            yield Form(key, value, as_before(letter.record))
        yield Form(key, None, [*headers.own, *without_value])
        yield Form(None, None, [*without_value, *left_out()])

    def _write_alone(self, producer: Producer, letter: FailedRecord, forms: list[Form]) -> KafkaError | None:
        # The whole letter again first: it may have been refused for the size of the batch that it was in.
        for form in forms:
            outcome = self._produce(producer, [letter], [form])[0]
            if outcome is None or outcome.code() not in _TOO_LARGE:
                break
        return outcome

    def _produce(
        self, producer: Producer, letters: Sequence[FailedRecord], forms: Sequence[Form]
    ) -> list[KafkaError | None]:
        outcomes: list[KafkaError | None] = [KafkaError(_NO_ANSWER)] * len(letters)

        def delivered(index: int, error: KafkaError | None, _: Message) -> None:
            outcomes[index] = error

        for index, (letter, form) in enumerate(zip(letters, forms, strict=True)):
            try:
                self._hand_over(producer, letter.record, form, functools.partial(delivered, index))
            except KafkaException as refused:
                outcomes[index] = refused.args[0]
        if flush(producer, self._patience):
            producer.purge()
            flush(producer, DELIVERY_MARGIN_SECONDS)
        return outcomes

    def _hand_over(self, producer: Producer, record: Record, form: Form, delivered: Delivered) -> None:
        number = record.partition()
        partition = number if number < self._partitions else PARTITION_ANY
        while True:
            try:
                producer.produce(
                    self._topic, form.value, form.key, partition, delivered, headers=list(form.headers)
                )
            except BufferError:  # the client's queue is full: let it send some
                flush(producer, DELIVERY_MARGIN_SECONDS)
            else:
                return

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaException):  # it failed for good
                flush(producer, self._patience)


def _reason(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"
