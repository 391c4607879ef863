"""Headers of dead letters are untrusted input: reading them never fails, and what is read is bounded."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.dead_letters import CLUSTER, dead_letter_record, read
from tests.support.memory_source import MemoryRecord
from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.headers import (
    MAX_CODE_CHARS,
    MAX_NUMBER,
    MAX_SECONDS,
    MAX_TEXT_CHARS,
    ORIGIN,
    TOPIC,
    HeaderReader,
)
from worker.dead_letters.index import Index
from worker.dead_letters.marks import RESOLVED, read_mark
from worker.dead_letters.values import moment

NAMES = st.sampled_from(
    [
        *ORIGIN,
        "dlq.stage",
        "dlq.reason",
        "dlq.failed_at",
        "dlq.replays",
        "dlq.left_out",
        "dlq.resolved",
        "__connect.errors.stage",
        "__connect.errors.exception.class.name",
        "dlq.rule",
        "dlq.\x1b[2Jx",
        "other",
    ]
)
ODD = st.sampled_from(
    [
        b"9" * 5000,
        b"-1",
        b"1e5",
        b"\xff",
        b"[/nope]",
        b"\x1b[2J\x07",
        b"0001-01-01T00:00:00+14:00",
        b"\xd9\xa3",
        b"9999-12-31T23:59:59-14:00",
        b"253402300800000",
        b"1795269600000000",
        b"x" * 100_000,
        b"0-5,3",
        b"0:9-1",
    ]
)
HEADERS = st.lists(st.tuples(NAMES, st.none() | ODD | st.binary(max_size=30)), max_size=12)
MILLIS = st.sampled_from([-1, 0, 1_795_269_600_000, 1_795_269_600_000_000, MAX_NUMBER])


def printed(dead_letter: DeadLetter) -> list[str]:
    """Every text of a dead letter that a command may print."""
    moment(dead_letter.failed_at)
    moment(dead_letter.happened_at)
    texts = [
        dead_letter.reason,
        dead_letter.stage,
        dead_letter.topic,
        dead_letter.rule,
        dead_letter.cluster_id,
    ]
    return [
        *texts,
        *dead_letter.left_out,
        *(text for fact in dead_letter.facts for text in (fact.name, fact.text)),
    ]


@given(headers=HEADERS, millis=MILLIS)
@example(headers=[(TOPIC, b"orders"), ("dlq.failed_at", b"0001-01-01T00:00:00+14:00")], millis=-1)
@example(headers=[(TOPIC, b"orders"), ("dlq.timestamp", b"9" * 5000)], millis=MAX_NUMBER)
def test_any_headers_are_read_within_bounds(headers: list[tuple[str, bytes | None]], millis: int) -> None:
    record = MemoryRecord(("dead-letters", 0), 3, b"key", b"{}", headers, millis)
    index = Index({0: (0, 10)})
    index.add(record)
    dead_letter = read_dead_letter(record, CLUSTER)
    if dead_letter is None:
        return
    assert all(text.isprintable() and len(text) <= 10 * MAX_TEXT_CHARS for text in printed(dead_letter))
    assert len(dead_letter.reason) <= 10 * MAX_CODE_CHARS
    assert 0 <= dead_letter.failed_at <= MAX_SECONDS
    assert 0 <= dead_letter.happened_at <= MAX_SECONDS
    assert 0 <= dead_letter.replays <= MAX_NUMBER
    if dead_letter.origin is not None:
        assert 0 <= dead_letter.origin.partition() <= MAX_NUMBER
        assert 0 <= dead_letter.origin.offset() <= MAX_NUMBER
        assert -1 <= dead_letter.timestamp <= MAX_NUMBER


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"0",
        b"0:",
        b"0:x",
        b"0:1-",
        b"0:5-1",
        b"0:-5",
        b"-1:1",
        b"0:1,,2",
        b"0:" + b"9" * 5000,
        b"\xff:1",
        b"\xd9\xa3:1",
        b"9223372036854775808:1",
    ],
)
def test_an_invalid_mark_resolves_nothing(value: bytes) -> None:
    record = MemoryRecord(("dead-letters", 0), 3, None, None, [(RESOLVED, value)])
    assert read_mark(record) is None


def test_a_mark_with_more_ranges_than_the_worker_writes_is_invalid() -> None:
    value = b"0:" + b",".join(b"%d" % n for n in range(100_000))
    assert read_mark(MemoryRecord(("dead-letters", 0), 3, None, None, [(RESOLVED, value)])) is None


def test_a_long_text_is_cut_to_whole_characters() -> None:
    reader = HeaderReader([("dlq.rule", b"\xc3\xa9" * 10**6)])
    assert reader.text("dlq.rule") == "é" * MAX_TEXT_CHARS


def test_a_fact_is_safe_to_show_only_if_the_worker_writes_it() -> None:
    ours = read(dead_letter_record(own=[("__connect.errors.exception.stacktrace", b"at Ada")]))
    shown = {fact.name: fact.safe for fact in ours.facts}
    assert not shown.pop("__connect.errors.exception.stacktrace")
    assert all(shown.values())
    connect: list[tuple[str, bytes | None]] = [
        (TOPIC, b"orders"),
        ("__connect.errors.exception.message", b"cannot convert Ada"),
    ]
    [topic, message] = read(MemoryRecord(("dead-letters", 0), 3, None, None, connect)).facts
    assert (topic.safe, message.safe) == (True, False)
