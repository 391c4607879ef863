"""Dead letters written by the worker or by Kafka Connect, and marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.dead_letters import CLUSTER, FAILED_AT, TOPIC, dead_letter_record, mark_record, read
from tests.support.dlq_command import connect_headers
from tests.support.memory_source import MemoryRecord
from worker.adapters.dead_letter_topic.writer import DeadLetterTopic
from worker.core.reasons import Stage
from worker.dead_letters.dead_letter import read_dead_letter
from worker.dead_letters.failed_record import FailedRecord
from worker.dead_letters.headers import (
    headers_of,
    own_headers,
    with_replay_counted,
)
from worker.dead_letters.marks import read_mark
from worker.settings import Kafka
from worker.telemetry.telemetry import Telemetry

NAMES = st.sampled_from(
    [
        "trace",
        "",
        "__connect.errors.topic",
        "__connect.errors.stage",
        "__connect.errors.exception.message",
        "x",
    ]
)
OWN = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3)), max_size=6)


@given(own=OWN, replays=st.integers(0, 3), short=st.booleans())
def test_the_origin_equals_the_source_record_after_any_number_of_replays(
    *, own: list[tuple[str, bytes | None]], replays: int, short: bool
) -> None:
    record = dead_letter_record(3, own=own, origin=("orders", 5, 6))
    for _ in range(replays):
        again = FailedRecord(record, Stage.DELIVER, "HTTP_400", "no", FAILED_AT + 1, status=400)
        found = headers_of(again, "another", replaying=True)
        headers = [*found.own, *(found.without() if short else found.ours)]
        record.record_headers = [(name, v.encode() if isinstance(v, str) else v) for name, v in headers]
    dead_letter = read(record)
    origin = dead_letter.origin
    assert origin is not None
    assert (origin.topic(), origin.partition(), origin.offset()) == ("orders", 5, 6)
    assert (origin.headers() or []) == own
    assert (origin.key(), origin.value(), origin.timestamp()) == (b"key", b"{}", (1, 1_700_000_000_123))
    assert (dead_letter.replays, dead_letter.cluster_id) == (replays, CLUSTER)
    assert dead_letter.reason == ("HTTP_400" if replays else "MISSING_ID")


def test_a_dead_letter_of_kafka_connect_is_read_like_our_own() -> None:
    headers: list[tuple[str, bytes | None]] = [("trace", b"1"), *connect_headers("orders", 2, 7)]
    record = MemoryRecord((TOPIC, 0), 4, b"key", b"{broken", headers, 1_700_000_000_000)
    dead_letter = read(record)
    origin = dead_letter.origin
    assert origin is not None
    assert (origin.topic(), origin.partition(), origin.offset()) == ("orders", 2, 7)
    assert origin.headers() == [("trace", b"1")]
    assert origin.timestamp() == (1, 1_700_000_000_000)
    assert (dead_letter.stage, dead_letter.reason, dead_letter.rule, dead_letter.replays) == (
        "decode",
        "DataException",
        "",
        0,
    )
    assert (dead_letter.cluster_id, dead_letter.failed_at, dead_letter.is_ours) == (
        CLUSTER,
        1_700_000_000.0,
        False,
    )


def test_tools_for_kafka_connect_can_read_our_dead_letters() -> None:
    facts = dict(dead_letter_record(origin=("orders", 2, 7)).headers() or [])
    assert facts["__connect.errors.topic"] == b"orders"
    assert facts["__connect.errors.partition"] == b"2"
    assert facts["__connect.errors.offset"] == b"7"
    assert facts["__connect.errors.stage"] == b"TRANSFORMATION"
    assert facts["__connect.errors.exception.message"] == b"MISSING_ID: a sentence"
    assert facts["__connect.errors.exception.class.name"]


def test_other_records_are_neither_dead_letters_nor_marks_and_no_header_hides_a_dead_letter() -> None:
    assert read_dead_letter(MemoryRecord((TOPIC, 0), 0), CLUSTER) is None
    assert read_mark(MemoryRecord((TOPIC, 0), 0)) is None
    assert read_dead_letter(mark_record(0, [(1, 2)]), CLUSTER) is None
    hidden = dead_letter_record(own=[("dlq.resolved", b"0:0-99")])
    assert read_mark(hidden) is None


def test_a_dead_letter_with_invalid_coordinates_has_no_origin() -> None:
    headers: list[tuple[str, bytes | None]] = [
        ("__connect.errors.topic", b"orders"),
        ("__connect.errors.partition", b"-1"),
        ("__connect.errors.offset", b"\xff"),
    ]
    dead_letter = read(MemoryRecord((TOPIC, 0), 0, None, b"", headers))
    assert (dead_letter.origin, dead_letter.reason, dead_letter.stage) == (None, "UNKNOWN", "unknown")


def test_counting_a_replay_changes_no_other_header() -> None:
    record = dead_letter_record(own=[("trace", b"1")], replays=2)
    found = with_replay_counted(record)
    assert dict(found) == {**dict(record.headers() or []), "dlq.replays": b"3"}
    assert [name for name, _ in found] == [name for name, _ in record.headers() or []]
    first = connect_headers("orders", 0, 1)
    assert with_replay_counted(MemoryRecord((TOPIC, 0), 0, None, b"", first)) == [
        *first,
        ("dlq.replays", b"1"),
    ]


async def test_a_dead_letter_that_fails_again_loses_headers_before_its_value() -> None:
    again = DeadLetterTopic(Kafka(), Telemetry(), replaying=True)
    dead_letter = FailedRecord(
        dead_letter_record(value=b"{}"), Stage.MAP, "MAPPER_FAILED", "it raised", FAILED_AT
    )
    assert [variant.value for variant in again._variants(dead_letter)] == [b"{}", b"{}", b"{}", None, None]
    await again.close()


def test_a_record_without_headers_has_no_own_headers() -> None:
    assert own_headers([]) == []
