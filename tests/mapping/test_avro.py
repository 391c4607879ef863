"""Rules on events in Avro: under every envelope, with keys of their own format, and as text."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.formats.contract import avro_bytes, avro_schemas, with_prefix
from worker.core.message_id import MessageIds
from worker.core.record_reading import RecordHeaders
from worker.documents.problems import ConfigError
from worker.formats.schemas import Schemas
from worker.mapping.explaining import Explanation
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PreviewRecord

ROW = {
    "type": "record",
    "name": "Row",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "note", "type": ["null", "string"]},
    ],
}
CHANGE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "Row"]},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [
                    {"name": "ts_ms", "type": "long"},
                    {"name": "snapshot", "type": ["null", "string"]},
                ],
            },
        },
        {"name": "op", "type": "string"},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "string"}]}
EVENT = {
    "type": "record",
    "name": "CloudEvent",
    "fields": [
        *({"name": name, "type": "string"} for name in ("id", "source", "type", "specversion")),
        {"name": "data", "type": ROW},
    ],
}
SCHEMAS = (ROW, CHANGE, KEY, EVENT)
ROWS = {"id": "u-1", "total": Decimal("12.50"), "note": None}
RULES = """
rules:
  - call: identify
    userId: id
    traits: {total: total, note: note, was: OLD}
"""


def mapped(tmp_path: Path, keys: str, record: PreviewRecord, old: str = "`null`") -> Explanation:
    return mappings(tmp_path, keys, old, avro_schemas(*SCHEMAS)).explain(record, MessageIds("c"))


def mappings(tmp_path: Path, keys: str, old: str = "`null`", schemas: Schemas | None = None) -> Mappings:
    rules = RULES.replace("OLD", json.dumps(old))
    (tmp_path / "m.yaml").write_text(f"topics: [orders]\n{keys}\n{rules}")
    return Mappings.load(["m.yaml"], mapper_path=[], base=tmp_path, dead_letter_topic="dead", schemas=schemas)


def traits(explanation: Explanation) -> Any:
    assert explanation.rejected is None, explanation.rejected
    (call,) = explanation.calls
    assert call["userId"] == "u-1"
    return call["traits"]


def avro(number: int, value: Any) -> bytes:
    return with_prefix(number, avro_bytes(SCHEMAS[number - 1], value))


def change(op: str, before: Any, after: Any, snapshot: str | None = None) -> bytes:
    source = {"ts_ms": 1_795_255_200_000, "snapshot": snapshot}
    return avro(2, {"before": before, "after": after, "source": source, "op": op})


def test_a_plain_event(tmp_path: Path) -> None:
    found = mapped(tmp_path, "format: avro", PreviewRecord("orders", avro(1, ROWS)))
    assert traits(found) == {"total": "12.50"}


def test_a_change_event_of_debezium(tmp_path: Path) -> None:
    keys, old = "format: avro\nenvelope: debezium", "_change.before.total"
    updated = PreviewRecord("orders", change("u", ROWS, ROWS))
    assert traits(mapped(tmp_path, keys, updated, old)) == {"total": "12.50", "was": "12.50"}
    created = PreviewRecord("orders", change("c", None, ROWS))
    assert traits(mapped(tmp_path, keys, created, old)) == {"total": "12.50"}
    deleted = PreviewRecord("orders", change("d", ROWS, None))
    assert traits(mapped(tmp_path, keys, deleted, "_change.op")) == {"total": "12.50", "was": "delete"}
    assert mapped(tmp_path, keys, PreviewRecord("orders", change("r", None, ROWS))).ignored == "snapshot"
    first = PreviewRecord("orders", change("c", None, ROWS, "first"))
    assert mapped(tmp_path, keys, first).ignored == "snapshot"
    wrong = mapped(tmp_path, keys, PreviewRecord("orders", change("u", None, None))).rejected
    assert wrong is not None
    assert wrong.reason == "INVALID_ENVELOPE"
    not_a_change = mapped(tmp_path, keys, PreviewRecord("orders", avro(1, ROWS))).rejected
    assert not_a_change is not None
    assert not_a_change.reason == "INVALID_ENVELOPE"


def test_a_cloud_event_whose_data_is_inside(tmp_path: Path) -> None:
    keys = "format: avro\nenvelope: cloudevents"
    event = {"id": "e-1", "source": "/s", "type": "t", "specversion": "1.0", "data": ROWS}
    found = mapped(tmp_path, keys, PreviewRecord("orders", avro(4, event)), "_ce.type")
    assert traits(found) == {"total": "12.50", "was": "t"}


def test_a_cloud_event_whose_data_is_the_value(tmp_path: Path) -> None:
    keys = "format: avro\nenvelope: cloudevents"
    headers: RecordHeaders = [(f"ce_{name}", b"x") for name in ("id", "source", "type")]
    headers.append(("ce_specversion", b"1.0"))
    record = PreviewRecord("orders", avro(1, ROWS), of_headers=headers)
    assert traits(mapped(tmp_path, keys, record, "_ce.type")) == {"total": "12.50", "was": "x"}
    typed = PreviewRecord(
        "orders", avro(1, ROWS), of_headers=[*headers, ("content-type", b"application/avro")]
    )
    found = mapped(tmp_path, keys, typed, "_ce.datacontenttype")
    assert traits(found) == {"total": "12.50", "was": "application/avro"}


def test_connects_envelope_in_avro(tmp_path: Path) -> None:
    found = mapped(
        tmp_path, "format: avro\nenvelope: connect", PreviewRecord("orders", avro(1, ROWS))
    ).rejected
    assert found is not None
    assert found.reason == "INVALID_ENVELOPE"


def test_a_key_in_avro_is_decoded_where_it_is_read(tmp_path: Path) -> None:
    keys = "format: avro\nkey_format: avro"
    record = PreviewRecord("orders", avro(1, ROWS), of_key=avro(3, {"id": "k-1"}))
    assert traits(mapped(tmp_path, keys, record, "_kafka.key.id")) == {"total": "12.50", "was": "k-1"}
    bad = PreviewRecord("orders", avro(1, ROWS), of_key=b"junk")
    assert traits(mapped(tmp_path, keys, bad)) == {"total": "12.50"}
    rejected = mapped(tmp_path, keys, bad, "_kafka.key.id").rejected
    assert rejected is not None
    assert rejected.reason == "INVALID_AVRO"
    assert "The key" in rejected.detail


@pytest.mark.parametrize(("old", "needed"), [("`null`", 1), ("_kafka.key.id", 2)])
def test_schemas_of_keys_are_needed_only_where_keys_are_read(tmp_path: Path, old: str, needed: int) -> None:
    loaded = mappings(tmp_path, "format: avro\nkey_format: avro", old)
    found = loaded.schemas_needed("orders")
    assert found is not None
    record = PreviewRecord("orders", avro(1, ROWS), of_key=avro(3, {"id": "k-1"}))
    assert len(found.missing([record])[0]) == needed
    assert loaded.needs_registry is not None


def test_a_schema_from_a_file_needs_no_registry(tmp_path: Path) -> None:
    (tmp_path / "row.avsc").write_text(json.dumps(ROW))
    loaded = mappings(tmp_path, f"format: avro\nschema: {tmp_path / 'row.avsc'}")
    assert loaded.needs_registry is None
    assert loaded.schemas_needed("orders") is None
    record = PreviewRecord("orders", avro_bytes(ROW, ROWS))
    assert traits(loaded.explain(record, MessageIds("c"))) == {"total": "12.50"}
    (tmp_path / "row.avsc").write_text('{"type": "record"}')
    with pytest.raises(ConfigError, match="is of no use: a type 'record' has no name"):
        mappings(tmp_path, f"format: avro\nschema: {tmp_path / 'row.avsc'}")


def test_text(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        "topics: [orders]\nformat: text\nrules: [{call: identify, userId: text, traits: {a: text}}]"
    )
    loaded = Mappings.load(["m.yaml"], mapper_path=[], base=tmp_path, dead_letter_topic="dead")
    found = loaded.explain(PreviewRecord("orders", "Łódź".encode()), MessageIds("c"))
    assert found.calls[0]["traits"] == {"a": "Łódź"}
    rejected = loaded.explain(PreviewRecord("orders", b"\xff"), MessageIds("c")).rejected
    assert rejected is not None
    assert rejected.reason == "INVALID_UTF8"


def test_a_missing_extra_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("worker.formats.avro.codec")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(ConfigError) as raised:
        mappings(tmp_path, "format: avro")
    (problem,) = raised.value.problems
    assert (problem.line, problem.column) == (2, 9)
    assert problem.message == "`format: avro` needs the extra 'avro'"
    assert problem.hint == "pip install 'customerio-pipelines-worker[avro]'"
