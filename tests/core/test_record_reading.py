from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.support.memory_source import MemoryRecord
from tests.support.records import record
from worker.core.reasons import Rejected
from worker.core.record_reading import UNREADABLE, read_headers, readable_headers, record_millis
from worker.mapping.mappers.event import Event

ROOT = Path(__file__).parents[2]


class Undecodable(MemoryRecord):
    """What Kafka's client does with a header name that is not UTF-8."""

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        if self.record_headers is None:
            raise SystemError
        return self.record_headers

    def set_headers(self, headers: Any) -> None:
        self.record_headers = headers


def test_unreadable_headers_are_read_only_once() -> None:
    of = Undecodable(("orders", 0), 0)
    assert read_headers(of) is UNREADABLE
    assert of.record_headers is UNREADABLE
    assert read_headers(of) is UNREADABLE
    assert UNREADABLE == []
    with pytest.raises(Rejected, match="UNREADABLE_HEADERS"):
        readable_headers(of)
    event = Event.of(of, {})
    assert event.key is None
    with pytest.raises(Rejected, match="UNREADABLE_HEADERS"):
        _ = event.headers


def test_no_headers_are_an_empty_list_and_readable() -> None:
    assert read_headers(record({})) == readable_headers(record({})) == []
    assert read_headers(record({})) is not UNREADABLE


@pytest.mark.parametrize(
    ("millis", "found"), [(None, None), (-1, None), (-1001, None), (-(2**62), None), (0, 0), (1, 1)]
)
def test_a_time_below_0_is_none(millis: int | None, found: int | None) -> None:
    assert record_millis(record({}, millis=millis)) == found


def test_headers_are_read_in_one_place_only() -> None:
    """`record.headers()` anywhere else could end the process."""
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "worker").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "headers"
    ]
    assert calls == []
