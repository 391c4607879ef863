"""Mapping records in envelopes, for tests."""

from __future__ import annotations

from typing import Any

from tests.support.records import record
from worker.core.message_id import MessageIds
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import map_event

IDS = MessageIds("cluster")
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "x",
    "time": "2026-11-21T10:00:00Z",
}
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"x"),
    ("ce_time", b"2026-11-21T10:00:00Z"),
    ("content-type", b"application/json"),
]


def read(text: str) -> tuple[Mappings, list[Problem]]:
    problems: list[Problem] = []
    file = read_mapping(parse(f"topics: [orders]\n{text}", "rules.yaml"), problems)
    assert file is not None
    return Mappings([file], {}, []), problems


def mapped(text: str, value: Any, **more: Any) -> dict[str, Any]:
    mappings, problems = read(text)
    assert not problems, problems
    return map_event(mappings, record(value, **more))


def calls(text: str, value: Any, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mapped(text, value, **more)["calls"]
    return found


def change(op: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "before": None, "after": {"id": "u-1"}, "source": {"ts_ms": 1763719200123}, **more}
