"""The format of marks: bounded, read back unchanged, and nothing that a producer writes is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.dead_letters import TOPIC, dead_letter_record, records_of_mark
from tests.support.memory_source import MemoryRecord
from worker.dead_letters.marks import (
    MAX_NOTE_CHARS,
    NOTE,
    RANGES_PER_MARK,
    RESOLVED,
    RESOLVED_BY,
    UNRESOLVED,
    How,
    Mark,
    read_mark,
)

SPANS = st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 9)), min_size=1, max_size=500)
WORDS = st.text(st.characters(categories=["L", "N"]), max_size=30).filter(str.isprintable)


@given(partition=st.integers(0, 99), spans=SPANS, resolves=st.booleans(), who=WORDS)
def test_marks_have_a_bounded_size_and_are_read_back_unchanged(
    *, partition: int, spans: list[tuple[int, int]], resolves: bool, who: str
) -> None:
    wanted = [(first, first + more) for first, more in spans]
    records = records_of_mark(Mark(partition, wanted, resolves, who, How.BY_HAND, "why", at=5.0))
    found = [mark for record in records if (mark := read_mark(record))]
    assert [each for mark in found for each in mark.ranges] == wanted
    said = {(mark.partition, mark.resolves, mark.who, mark.how, mark.note, mark.at) for mark in found}
    assert said == {(partition, resolves, who, How.BY_HAND, "why", 5.0)}
    sizes = [len(value or b"") for record in records for _, value in record.record_headers or []]
    assert max(sizes) <= RANGES_PER_MARK * 28 + 4


@pytest.mark.parametrize("name", [RESOLVED, UNRESOLVED])
@pytest.mark.parametrize("value", [b"", b"x", b"1:", b"1:a-b", b"\xff:1", None, b"0:5-1"])
def test_an_invalid_mark_marks_nothing(name: str, value: bytes | None) -> None:
    assert read_mark(MemoryRecord((TOPIC, 0), 0, None, None, [(name, value)])) is None


@pytest.mark.parametrize("name", [RESOLVED, UNRESOLVED])
def test_headers_of_a_source_record_under_these_names_are_not_a_mark(name: str) -> None:
    record = dead_letter_record(own=[(name, b"0:0-9"), (RESOLVED_BY, b"mallory"), (NOTE, b"done")])
    assert read_mark(record) is None


def test_a_note_is_cut_and_escaped() -> None:
    (record,) = records_of_mark(Mark(0, [(1, 1)], note="\x1b[2J" + "x" * 5000))
    mark = read_mark(record)
    assert mark
    assert mark.note.startswith("\\x1b[2J")
    assert len(dict(record.record_headers or [])[NOTE] or b"") == MAX_NOTE_CHARS


def test_a_mark_without_words_is_read_as_older_versions_wrote_it() -> None:
    mark = read_mark(MemoryRecord((TOPIC, 3), 9, None, None, [(RESOLVED, b"3:0-17,19")], 2_000))
    assert mark == Mark(3, [(0, 17), (19, 19)], at=2.0)
