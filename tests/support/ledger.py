"""What was produced, against what the API took and what lies on the dead-letter topic."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.support.kafka_client import SECONDS, KafkaClient
from worker.emulator import Emulator
from worker.emulator.received import Query

PERSON = "ada.lovelace"
"""Every person's id begins so, to be looked for where no id may be."""

EVENT = "Something Happened"
"""What mappings make of the events that are counted."""

TEXT = "a private word"
"""What every event holds, to be looked for where no payload may be."""


class Ledger:
    """Counts events for each person, in the order in which they were produced.

    Args:
        kafka: where they are produced.
        emulator: where they should come.
        letters: the dead-letter topic.

    Attributes:
        produced: for each person, the numbers of the events that should be delivered.
        text: what each event holds beside.
    """

    def __init__(self, kafka: KafkaClient, emulator: Emulator, dead_letters: str) -> None:
        self.produced: dict[str, list[int]] = defaultdict(list)
        self.text = TEXT
        self._kafka = kafka
        self._emulator = emulator
        self._dead_letters = dead_letters
        self._n = 0

    def produce(self, topic: str, n: int, people: int, partitions: int) -> None:
        """Produce `n` events of `people` people; a person is always in the same partition."""
        for _ in range(n):
            person = f"{PERSON}-{self._n % people}@{topic}"
            self._kafka.enqueue(topic, self._n % people % partitions, self.event(person), key=person.encode())
        self._kafka.flush()

    def event(self, person: str) -> bytes:
        """The next event of a person, which is to be delivered."""
        self._n += 1
        self.produced[person].append(self._n)
        return json.dumps({"type": "happened", "person": person, "n": self._n, "text": self.text}).encode()

    def is_delivered(self) -> bool:
        """Whether the API has taken as many calls as should come."""
        return self.taken >= sum(map(len, self.produced.values()))

    @property
    def taken(self) -> int:
        """How many different calls the API has taken."""
        return self._emulator.received.counts["taken"]

    @property
    def repeated(self) -> int:
        """How many calls came again."""
        return self._emulator.received.counts["duplicates"]

    def check(self) -> None:
        """Nothing is missing or too many, each person's events came in order and never two at a time.

        What came again was byte-identical and had its first messageId: with another it would be one too many.
        """
        came: dict[str, list[int]] = defaultdict(list)
        for call in self._emulator.received.calls(Query(event=EVENT)):
            came[call["userId"]].append(call["properties"]["n"])
        differing = [(all_, came[person]) for person, all_ in self.produced.items() if came[person] != all_]
        assert not differing, f"{len(differing)} people: produced, came: {differing[0]}"
        assert not (more := came.keys() - self.produced.keys()), f"never produced to be delivered: {more}"
        assert self._emulator.received.counts["duplicates_different"] == 0
        assert self._emulator.traffic.shared_a_person == 0

    def end(self, topic: str, partition: int) -> int:
        """Where a partition ends."""
        return self._kafka.end(topic, partition)

    def dead_letters(self) -> list[Message]:
        """Everything on the dead-letter topic."""
        return [message for partition in (0, 1) for message in self._read(partition)]

    def _read(self, partition: int) -> Iterator[Message]:
        properties = {
            "bootstrap.servers": self._kafka.servers,
            "group.id": "ledger",
            "enable.partition.eof": True,
        }
        consumer = Consumer(properties)
        consumer.assign([TopicPartition(self._dead_letters, partition, 0)])
        try:
            while True:
                message = consumer.poll(SECONDS)
                assert message is not None
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF
                    return
                yield message
        finally:
            consumer.close()


def header(dead_letter: Message, name: str) -> str | None:
    """A header of a dead letter, as text."""
    headers: dict[str, Any] = dict(dead_letter.headers() or [])
    value = headers.get(name)
    return None if value is None else bytes(value).decode()
