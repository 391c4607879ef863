"""Dead letters on a real broker: what is written, what is refused, what is found by the checks."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from tests.support.inspection import kafka_problems
from tests.support.kafka_client import KafkaClient
from tests.support.memory_source import MemoryRecord
from tests.support.recorded_telemetry import RecordedTelemetry
from worker.adapters.dead_letter_topic import writer as dead_letter_topic
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic
from worker.core.reasons import Stage
from worker.dead_letters.failed_record import FailedRecord
from worker.settings import Kafka
from worker.version import __version__

pytestmark = [pytest.mark.kafka, pytest.mark.essential]

OWN_HEADERS: list[tuple[str, bytes | None]] = [("trace", b"\xff\x00"), ("empty", None), ("trace", b"again")]
FAILED_AT = 1_795_269_600.25


def dead_letter(value: bytes | None = b"not json", partition: int = 0, **why: Any) -> FailedRecord:
    record = MemoryRecord(("orders", partition), 42, b"key", value, OWN_HEADERS, 1_700_000_000_123)
    facts = {"stage": Stage.DELIVER, "reason": "API_REFUSED", "detail": "no name", "failed_at": FAILED_AT}
    return FailedRecord(record, **{**facts, **why})


class Written:
    """A dead-letter topic of a test's own, and who writes to it."""

    def __init__(self, client: KafkaClient, topic: str, *, replaying: bool = False) -> None:
        self.client = client
        self.topic = topic
        self.telemetry = RecordedTelemetry()
        settings = Kafka(bootstrap_servers=client.servers, dead_letter_topic=topic)
        self.dead_letters = DeadLetterTopic(settings, cast("Any", self.telemetry), replaying=replaying)
        self.dead_letters.cluster_id = "cluster-1"

    def headers(self, n: int = 1, partition: int = 0) -> list[tuple[str, bytes | None]]:
        return cast(
            "list[tuple[str, bytes | None]]", self.client.read(self.topic, n, partition)[-1].headers()
        )


@pytest.fixture
async def written(kafka: KafkaClient) -> AsyncIterator[Written]:
    it = Written(kafka, kafka.create_topic(partitions=2))
    yield it
    await it.dead_letters.close()


async def test_a_dead_letter_has_the_records_bytes_its_coordinates_and_the_reason(written: Written) -> None:
    why: dict[str, Any] = {
        "call_index": 1,
        "rule": "orders.yaml:7",
        "status": 400,
        "errors": ("no event", "é"),
        "attempts": 3,
    }
    assert await written.dead_letters.write([dead_letter(**why)]) == [None]
    message = written.client.read(written.topic, 1)[0]
    assert (message.key(), message.value()) == (b"key", b"not json")
    assert written.headers() == [
        *OWN_HEADERS,
        ("__connect.errors.stage", b"TASK_PUT"),
        ("__connect.errors.exception.class.name", b"worker.core.reasons.Rejected"),
        ("__connect.errors.exception.message", b"API_REFUSED: no name"),
        ("dlq.stage", b"deliver"),
        ("dlq.reason", b"API_REFUSED"),
        ("dlq.status", b"400"),
        ("dlq.errors", '["no event", "é"]'.encode()),
        ("dlq.call_index", b"1"),
        ("dlq.rule", b"orders.yaml:7"),
        ("dlq.attempts", b"3"),
        ("dlq.failed_at", b"2026-11-21T14:00:00.250Z"),
        ("dlq.worker_version", __version__.encode()),
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"0"),
        ("__connect.errors.offset", b"42"),
        ("dlq.timestamp", b"1700000000123"),
        ("dlq.cluster_id", b"cluster-1"),
        ("dlq.replays", b"0"),
    ]
    assert written.telemetry.told == [("dead_letters_written", 1, "API_REFUSED", "orders")]


async def test_a_dead_letter_is_written_to_the_same_partition_number_if_it_exists(written: Written) -> None:
    assert await written.dead_letters.write([dead_letter(partition=1), dead_letter(partition=99)]) == [
        None,
        None,
    ]
    numbers = {message.value() for message in written.client.read(written.topic, 1, partition=1)}
    assert numbers == {b"not json"}


async def test_a_tombstone_keeps_its_null_value(written: Written) -> None:
    assert await written.dead_letters.write([dead_letter(None)]) == [None]
    assert written.client.read(written.topic, 1)[0].value() is None
    assert "dlq.value_bytes" not in dict(written.headers())


async def test_a_dead_letter_that_fails_again_keeps_its_original_coordinates(kafka: KafkaClient) -> None:
    again = Written(kafka, kafka.create_topic(), replaying=True)
    came: list[tuple[str, bytes | None]] = [
        ("trace", b"1"),
        ("__connect.errors.topic", b"first"),
        ("__connect.errors.partition", b"5"),
        ("__connect.errors.offset", b"6"),
        ("dlq.timestamp", b"7"),
        ("dlq.cluster_id", b"first-cluster"),
        ("dlq.reason", b"OLD"),
        ("dlq.errors", b"[]"),
        ("dlq.replays", b"2"),
    ]
    record = MemoryRecord(("dead-letters", 0), 1, b"key", b"{}", came)
    failed = FailedRecord(record, Stage.MAP, "MAPPER_FAILED", "it raised", FAILED_AT)
    assert await again.dead_letters.write([failed]) == [None]
    names = [name for name, _ in again.headers()]
    headers = dict(again.headers())
    assert len(names) == len(set(names))
    assert (headers["__connect.errors.topic"], headers["__connect.errors.offset"]) == (b"first", b"6")
    assert (headers["dlq.timestamp"], headers["dlq.cluster_id"]) == (b"7", b"first-cluster")
    assert (headers["dlq.reason"], headers["dlq.replays"], headers["trace"]) == (b"MAPPER_FAILED", b"3", b"1")
    assert "dlq.errors" not in headers
    await again.dead_letters.close()


async def test_a_dead_letter_that_is_too_large_is_written_without_some_parts(kafka: KafkaClient) -> None:
    small = Written(kafka, kafka.create_topic(max_message_bytes="3000"))
    noise = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(100))
    huge_detail, huge_value = dead_letter(noise[:1000], detail=noise.hex()), dead_letter(noise * 10)
    # A record of an acceptable size is written although its neighbours are refused.
    assert await small.dead_letters.write([huge_detail, dead_letter(), huge_value]) == [None, None, None]
    found = {message.value(): dict(message.headers() or []) for message in kafka.read(small.topic, 3)}
    assert "__connect.errors.exception.message" not in found[noise[:1000]]
    assert found[noise[:1000]]["dlq.reason"] == b"API_REFUSED"
    assert found[noise[:1000]]["dlq.left_out"] == b"optional"
    assert found[None]["dlq.left_out"] == b"optional value"
    assert "dlq.left_out" not in found[b"not json"]
    assert found[b"not json"]["__connect.errors.exception.message"] == b"API_REFUSED: no name"
    assert found[None]["dlq.value_bytes"] == b"32000"
    assert found[None]["dlq.value_sha256"] == hashlib.sha256(noise * 10).hexdigest().encode()
    assert found[None]["empty"] is None
    await small.dead_letters.close()


async def test_a_record_whose_key_alone_is_too_large_gets_a_dead_letter(kafka: KafkaClient) -> None:
    small = Written(kafka, kafka.create_topic(max_message_bytes="2000"))
    noise = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(100))
    record = MemoryRecord(("orders", 0), 1, noise, b"{}")
    failed = FailedRecord(record, Stage.MAP, "MAPPER_FAILED", "it raised", FAILED_AT)
    assert await small.dead_letters.write([failed]) == [None]
    message = kafka.read(small.topic, 1)[0]
    assert (message.key(), message.value()) == (None, None)
    assert dict(small.headers())["dlq.left_out"] == b"optional key headers value"
    await small.dead_letters.close()


async def test_a_missing_topic_is_returned_as_a_reason(kafka: KafkaClient) -> None:
    missing = Written(kafka, "no-such-topic")
    reasons = await missing.dead_letters.write([dead_letter(), dead_letter()])
    assert [reason.partition(":")[0] for reason in reasons if reason] == ["UNKNOWN_TOPIC_OR_PART"] * 2
    assert missing.telemetry.of("dead_letters_failed") == [(2, reasons[0])]
    assert [problem.warning for problem in await missing.dead_letters.check([])] == [False]
    await missing.dead_letters.close()


async def test_unreachable_brokers_are_returned_as_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_topic, "RESPONSE_SECONDS", 0.2)
    telemetry = RecordedTelemetry()
    settings = Kafka(bootstrap_servers="127.0.0.1:1", properties={"delivery.timeout.ms": "500"})
    nowhere = DeadLetterTopic(settings, cast("Any", telemetry))
    reasons = await nowhere.write([dead_letter()])
    assert reasons[0] is not None
    await nowhere.close()


async def test_a_compacted_topic_is_a_problem_and_a_small_one_a_warning(kafka: KafkaClient) -> None:
    source = kafka.create_topic(max_message_bytes="500000")
    compacted = Written(kafka, kafka.create_topic(cleanup_policy="compact", max_message_bytes="900000"))
    (problem,) = await compacted.dead_letters.check([source])
    assert "compacted" in problem.message
    assert not problem.warning
    small = Written(kafka, kafka.create_topic(max_message_bytes="499999"))
    (warning,) = await small.dead_letters.check([f"^{source}$"])
    assert source in warning.message
    assert warning.warning
    checked = kafka_problems(Kafka(bootstrap_servers=kafka.servers, dead_letter_topic=small.topic), [source])
    assert [problem.warning for problem in checked] == [False]
    fine = Written(kafka, kafka.create_topic(max_message_bytes="500000"))
    assert await fine.dead_letters.check([source]) == []
