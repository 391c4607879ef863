"""Marks in the dead-letter topic: which of its letters need nothing more.

A mark is a record with the header `dlq.resolved` in the partition whose letters it names, so that retention never
deletes it before them. It has neither key nor value.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Producer

from worker.adapters.kafka.clients import flush, make_producer
from worker.adapters.kafka.fatal_errors import is_fatal
from worker.adapters.kafka.properties import producer_properties
from worker.adapters.kafka.timeouts import DELIVERY_MARGIN_SECONDS
from worker.dead_letters.headers import RESOLVED, Range, marks
from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from confluent_kafka import Message

    from worker.settings import Kafka


class ResolvedMarks:
    """Writes marks; each blocking call runs in one thread of its own.

    Args:
        kafka: the settings of that name.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._topic = kafka.dead_letter_topic
        self._properties = producer_properties(kafka)
        timeout = self._properties.get("delivery.timeout.ms") or self._properties["message.timeout.ms"]
        self._patience = int(timeout) / 1000 + DELIVERY_MARGIN_SECONDS
        self._thread = ThreadPoolExecutor(1, "resolved-marks")
        self._producer: Producer | None = None

    async def write(self, resolved: Mapping[int, Sequence[Range]]) -> None:
        """Mark letters, by partition, and wait until all in-sync replicas have the marks.

        Raises:
            CommitFailed: some were not acknowledged; writing them again does no harm.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, functools.partial(self._write, resolved))

    def close(self) -> None:
        """End the thread; every write has been answered."""
        self._thread.shutdown(wait=False)

    def _write(self, resolved: Mapping[int, Sequence[Range]]) -> None:
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        try:
            self._producer = self._producer or make_producer(self._properties)
            for partition, ranges in resolved.items():
                for value in marks(partition, ranges):
                    headers: list[tuple[str, str | bytes | None]] = [(RESOLVED, value)]
                    self._producer.produce(
                        self._topic, partition=partition, headers=headers, on_delivery=delivered
                    )
            self._flush(self._producer, failures)
        except (KafkaException, BufferError) as error:
            why = error.args[0]
            if isinstance(why, KafkaError) and is_fatal(why):
                self._producer = None  # the next write makes another
            raise CommitFailed(why.name() if isinstance(why, KafkaError) else str(why)) from None
        if failures:
            if any(is_fatal(failure) for failure in failures):
                self._producer = None  # the next write makes another
            raise CommitFailed(failures[0].name())

    def _flush(self, producer: Producer, failures: list[KafkaError]) -> None:
        if flush(producer, self._patience):
            producer.purge()
            flush(producer, DELIVERY_MARGIN_SECONDS)
            failures.append(KafkaError(KafkaError._MSG_TIMED_OUT))  # noqa: SLF001 - the client's public name
