"""Writes marks to the dead-letter topic: records that resolve dead letters, or make resolved ones wait again.

A mark is written to the partition of the dead letters that it names, because retention deletes a partition from its
beginning: never a mark before its dead letters.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Producer

from worker.adapters.kafka.clients import flush, make_producer
from worker.adapters.kafka.fatal_errors import is_fatal
from worker.adapters.kafka.properties import producer_properties
from worker.adapters.kafka.timeouts import DELIVERY_MARGIN_SECONDS
from worker.dead_letters.marks import Mark, headers_of_mark
from worker.pipeline.ports import CommitFailed

if TYPE_CHECKING:
    from confluent_kafka import Message

    from worker.settings import Kafka


class ResolvedMarks:
    """Writes marks. Blocking calls run in a single separate thread.

    Args:
        kafka: the settings of that name.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._topic = kafka.dead_letter_topic
        self._properties = producer_properties(kafka)
        timeout = self._properties.get("delivery.timeout.ms") or self._properties["message.timeout.ms"]
        self._flush_timeout = int(timeout) / 1000 + DELIVERY_MARGIN_SECONDS
        self._thread = ThreadPoolExecutor(1, "resolved-marks")
        self._producer: Producer | None = None

    async def write(self, marks: Sequence[Mark]) -> None:
        """Write marks, and wait until all in-sync replicas have them.

        Raises:
            CommitFailed: some were not acknowledged. Marks may be written repeatedly.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, functools.partial(self._write, marks))

    def close(self) -> None:
        """End the thread. No write is running any more."""
        self._thread.shutdown(wait=False)

    def _write(self, marks: Sequence[Mark]) -> None:
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        try:
            self._producer = self._producer or make_producer(self._properties)
            for mark in marks:
                for headers in headers_of_mark(mark):
                    self._producer.produce(
                        self._topic, partition=mark.partition, headers=headers, on_delivery=delivered
                    )
            self._flush(self._producer, failures)
        except (KafkaException, BufferError) as error:
            why = error.args[0]
            if isinstance(why, KafkaError) and is_fatal(why):
                self._producer = None  # the next write creates another
            raise CommitFailed(why.name() if isinstance(why, KafkaError) else str(why)) from None
        if failures:
            if any(is_fatal(failure) for failure in failures):
                self._producer = None  # the next write creates another
            raise CommitFailed(failures[0].name())

    def _flush(self, producer: Producer, failures: list[KafkaError]) -> None:
        if flush(producer, self._flush_timeout):
            # Purged, the client sends none of them later: after this method a mark is acknowledged or failed.
            producer.purge()
            flush(producer, DELIVERY_MARGIN_SECONDS)
            failures.append(KafkaError(KafkaError._MSG_TIMED_OUT))  # noqa: SLF001 - documented name
