"""A table's life on a real Kafka, as Debezium writes it: snapshot, updates, deletes, and what compaction leaves."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from tests.support.dlq_command import Dlq
from tests.support.kafka_client import SECONDS, Headers, KafkaClient
from tests.support.ledger import PERSON
from tests.support.worker_process import LOOK_SECONDS, Site
from worker.core.message_id import MessageIds
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

ROWS = 10_000
DELETED = 3_000
PARTITIONS = 2
COMPACTION_SECONDS = 120.0

MAPPING = """\
topics: [{topic}]
envelope: debezium
snapshot: send
unmatched: dead_letter
rules:
  - when: _kafka.tombstone || _change.op == 'delete'
    call: delete_user
    userId: _kafka.key.id
  - call: identify
    userId: id
    timestamp: _change.timestamp
    traits: {{email: email, version: version}}
"""

COMPACTED = {
    "cleanup_policy": "compact",
    "segment_bytes": "1048576",
    "min_cleanable_dirty_ratio": "0.01",
    "max_compaction_lag_ms": "1000",
    "delete_retention_ms": "86400000",
}

SCHEMA = {
    "type": "struct",
    "name": "shop.public.users.Envelope",
    "fields": [
        {"type": "struct", "optional": True, "field": name, "name": "shop.public.users.Value", "fields": [
            {"type": "string", "optional": False, "field": "id"},
            {"type": "string", "optional": True, "field": "email"},
            {"type": "int32", "optional": False, "field": "version"},
        ]}
        for name in ("before", "after")
    ],
}  # fmt: skip
KEY_SCHEMA = {"type": "struct", "fields": [{"type": "string", "optional": False, "field": "id"}]}


class Table:
    """A table of users, and the topic that its changes are written to."""

    def __init__(self, kafka: KafkaClient) -> None:
        self.topic = kafka.create_topic(PARTITIONS, **COMPACTED)
        self.rows: dict[str, dict[str, Any]] = {}
        self._kafka = kafka
        self._number = {self.id_of(number): number for number in range(ROWS)}

    @staticmethod
    def id_of(number: int) -> str:
        return f"{PERSON}-{number}"

    def change(self, op: str, id_: str, version: int = 0) -> None:
        """Change a row; a delete is followed by a tombstone."""
        before = self.rows.get(id_)
        after = None if op == "d" else {"id": id_, "email": f"{id_}@example.com", "version": version}
        source = {"connector": "postgresql", "table": "users", "ts_ms": 1763719200000 + version}
        source["snapshot"] = "true" if op == "r" else "false"
        payload = {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1763719200000}
        self._write(id_, {"schema": SCHEMA, "payload": payload})
        if after is None:
            del self.rows[id_]
            self._write(id_, None)
        else:
            self.rows[id_] = after

    def heartbeats(self, n: int) -> None:
        """Begin new segments, since Kafka compacts none that is written to."""
        value = json.dumps({"schema": SCHEMA, "payload": {"ts_ms": 1763719200000}}).encode()
        for partition in range(PARTITIONS):
            self._kafka.append(self.topic, partition, [value] * n, key=b'{"serverName": "shop"}')

    def _write(self, id_: str, value: dict[str, Any] | None) -> None:
        key = json.dumps({"schema": KEY_SCHEMA, "payload": {"id": id_}}).encode()
        encoded = None if value is None else json.dumps(value, separators=(",", ":")).encode()
        self._kafka.enqueue(self.topic, self._number[id_] % PARTITIONS, encoded, key=key)

    def flush(self) -> None:
        self._kafka.flush()


async def test_a_tables_life_ends_with_exactly_the_people_who_are_left(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    table = Table(kafka)
    site.mapping = MAPPING.format(topic=table.topic)
    site.change("batch", max_calls=1000)
    everybody = [table.id_of(number) for number in range(ROWS)]
    deleted = set(everybody[:DELETED])

    for id_ in everybody:
        table.change("r", id_)
    table.flush()
    assert await site.run_job() == 0
    assert people(emulator) == (set(everybody), set())

    for id_ in everybody[::2]:
        table.change("u", id_, version=1)
    for id_ in everybody[:DELETED]:
        table.change("d", id_)
    table.flush()
    assert await site.run_job() == 0
    assert people(emulator) == (set(table.rows), deleted)
    assert versions(emulator) == {id_: row["version"] for id_, row in table.rows.items()}

    table.heartbeats(1500)
    await compacted(kafka, table.topic, deleted)
    emulator.received.clear()
    site.change("kafka", group_id=f"group-{uuid.uuid4().hex[:10]}")
    assert await site.run_job() == 0
    assert people(emulator) == (set(table.rows), deleted)
    assert not deleted & {call["userId"] for call in emulator.received.calls() if call["type"] == "identify"}
    assert site.ledger.dead_letters() == []


CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order",
    "time": "2026-01-01T10:00:00Z",
}
CLOUD_MAPPING = """\
topics: [{topic}]
envelope: {envelope}
rules:
  - {{call: track, event: Order, userId: who, properties: {{n: n}}}}
"""


async def test_events_of_both_modes_are_replayed_with_their_own_id_and_time(
    site: Site, emulator: Emulator
) -> None:
    """A mapping named another envelope; what it rejected is replayed once it is mended, and means the same."""
    data = {"who": f"{PERSON}-1", "n": 1}
    structured = json.dumps({**CLOUD_EVENT, "data": data}).encode()
    site.kafka.append(
        site.topic, values=[structured], headers=[("content-type", "application/cloudevents+json")]
    )
    attributes: Headers = [(f"ce_{name}", text) for name, text in {**CLOUD_EVENT, "id": "e-2"}.items()]
    headers: Headers = [*attributes, ("content-type", "application/json")]
    site.kafka.append(site.topic, 1, [json.dumps(data).encode()], headers=headers)
    site.mapping = CLOUD_MAPPING.format(topic=site.topic, envelope="debezium")
    assert await site.run_job() == 0
    dlq = Dlq(site)
    assert await dlq.waiting() == {"INVALID_ENVELOPE": 2}

    site.mapping = CLOUD_MAPPING.format(topic=site.topic, envelope="cloudevents")
    site.configure()
    shown = await dlq("show", f"{site.topic}:1:0", "--reveal")
    assert MessageIds.for_event("/shop/e-2", "track", "Order", 0) in shown.out
    code, _ = await dlq.replayed("--allow-stale")
    assert code == 0
    ids = {call["messageId"]: call["timestamp"] for call in emulator.received.calls()}
    expected = {MessageIds.for_event(f"/shop/{own}", "track", "Order", 0) for own in ("e-1", "e-2")}
    assert ids == dict.fromkeys(expected, "2026-01-01T10:00:00.000Z")
    assert await dlq.waiting() == {}


def people(emulator: Emulator) -> tuple[set[str], set[str]]:
    """Who is left after all calls in the order in which they came, and who was deleted."""
    left: set[str] = set()
    deleted: set[str] = set()
    for call in emulator.received.calls():
        if call["type"] == "identify":
            left.add(call["userId"])
        else:
            assert call["event"] == "User Deleted"
            left.discard(call["userId"])
            deleted.add(call["userId"])
    return left, deleted


def versions(emulator: Emulator) -> dict[str, int]:
    """The newest version of each person who is left."""
    found: dict[str, int] = {}
    for call in emulator.received.calls():
        if call["type"] == "identify":
            found[call["userId"]] = call["traits"]["version"]
        else:
            found.pop(call["userId"], None)
    return found


async def compacted(kafka: KafkaClient, topic: str, deleted: set[str]) -> None:
    """Wait until nothing but a tombstone is left of each deleted row."""
    async with asyncio.timeout(COMPACTION_SECONDS):
        while any(has_value_of(message, deleted) for message in everything(kafka, topic)):  # noqa: ASYNC110 - of a broker
            await asyncio.sleep(LOOK_SECONDS)


def has_value_of(message: Message, deleted: set[str]) -> bool:
    key = json.loads(message.key() or b"{}")
    return message.value() is not None and "payload" in key and key["payload"]["id"] in deleted


def everything(kafka: KafkaClient, topic: str) -> Iterator[Message]:
    """All records of a topic, as they are now."""
    for partition in range(PARTITIONS):
        consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "reader"})
        consumer.assign([TopicPartition(topic, partition, 0)])
        end = kafka.end(topic, partition)
        try:
            while consumer.position([TopicPartition(topic, partition)])[0].offset < end:
                yield from consumer.consume(1000, SECONDS / 100)
        finally:
            consumer.close()
