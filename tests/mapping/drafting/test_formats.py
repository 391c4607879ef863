"""Drafts from records in Avro, Protobuf and text: the format is found by the ids in the records."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fastavro
import pytest

from worker.core.records import Record
from worker.demo.registry import Registry, running_registry
from worker.documents.problems import ConfigError
from worker.mapping.mappings import Mappings
from worker.mapping.trying.fixtures import read_fixtures, run_fixture
from worker.mapping.trying.preview import PreviewRecord
from worker.programs.drafting import DraftError, write_draft
from worker.settings import Settings

CUSTOMER = {
    "type": "record",
    "name": "Customer",
    "fields": [{"name": "id", "type": "string"}, {"name": "email", "type": ["null", "string"]}],
}
ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "type", "type": "string"},
        {"name": "customer_id", "type": "string"},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ],
}
CHANGE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", CUSTOMER]},
        {"name": "after", "type": ["null", "Customer"]},
        {"name": "source", "type": {"type": "map", "values": "string"}},
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": ["null", "long"]},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "string"}]}
PROTO = 'syntax = "proto3"; message Paid { string kind = 1; string user_id = 2; double total = 3; }'


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


def avro(schema: Any, event: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    return out.getvalue()


def framed(id_: int, data: bytes) -> bytes:
    return b"\0" + id_.to_bytes(4) + data


def drafted(
    folder: Path, registry: Registry | None, records: Sequence[Record], topic: str = "orders"
) -> list[str]:
    """The mapping's lines before its rules; the draft passes its own fixtures."""
    given = {} if registry is None else {"schema_registry": {"url": registry.address}}
    *_, mapping_file, fixture_file = write_draft(folder, topic, records, Settings.model_validate(given))
    mappings = Mappings.load([str(mapping_file)], mapper_path=[], base=folder, dead_letter_topic="d")
    results = [
        run_fixture(mappings.taking_json(), fixture)
        for fixture in read_fixtures(fixture_file.read_bytes(), str(fixture_file))
    ]
    assert results
    assert all(result.passed and result.outcome == "sent" for result in results), fixture_file.read_text()
    return mapping_file.read_text().partition("rules:")[0].splitlines()


def orders(number: int = 6) -> list[dict[str, Any]]:
    return [
        {"type": ("order.paid", "order.sent")[at % 2], "customer_id": f"c-{at}", "total": b"\x01", "at": at}
        for at in range(number)
    ]


def test_avro_behind_a_prefix(registry: Registry, tmp_path: Path) -> None:
    id_ = registry.register("orders-value", json.dumps(ORDER)).id
    records = [PreviewRecord("orders", framed(id_, avro(ORDER, each)), b"k") for each in orders()]
    assert drafted(tmp_path, registry, records) == ["topics: [orders]", "format: avro"]
    assert f'url: "{registry.address}"' in (tmp_path / "worker.yaml").read_text()
    assert "type == 'order.paid'" in (tmp_path / "mappings" / "orders.yaml").read_text()


def test_avro_with_the_id_in_a_header(registry: Registry, tmp_path: Path) -> None:
    guid = registry.register("orders-value", json.dumps(ORDER)).guid.replace("-", "")
    header = ("__value_schema_id", b"\x01" + bytes.fromhex(guid))
    records = [PreviewRecord("orders", avro(ORDER, each), b"k", [header]) for each in orders()]
    assert drafted(tmp_path, registry, records) == ["topics: [orders]", "format: avro"]
    assert "__value_schema_id" not in (tmp_path / "tests" / "orders.yaml").read_text()


def test_apicurio_s_prefix_of_eight_bytes(registry: Registry, tmp_path: Path) -> None:
    found = registry.register("orders-value", json.dumps(ORDER))
    id_ = registry.global_id(found)
    records = [PreviewRecord("orders", b"\0" + id_.to_bytes(8) + avro(ORDER, each)) for each in orders()]
    assert drafted(tmp_path, registry, records) == [
        "topics: [orders]",
        "format: avro",
        "schema_id: prefix8",
        "apicurio_id: global",
    ]


def test_protobuf(registry: Registry, tmp_path: Path) -> None:
    id_ = registry.register("paid-value", PROTO, "PROTOBUF").id
    message = b"\x0a\x04paid\x12\x03u-1\x19\x00\x00\x00\x00\x00\x00\x23\x40"
    records = [PreviewRecord("paid", framed(id_, b"\0" + message))] * 3
    assert drafted(tmp_path, registry, records, "paid") == ["topics: [paid]", "format: protobuf"]


def test_debezium_in_avro_with_its_keys(registry: Registry, tmp_path: Path) -> None:
    value = registry.register("customers-value", json.dumps(CHANGE)).id
    key = registry.register("customers-key", json.dumps(KEY)).id
    records = [
        PreviewRecord(
            "customers",
            framed(
                value,
                avro(
                    CHANGE,
                    {"after": {"id": f"c-{at}", "email": "a@b.de"}, "source": {}, "op": op, "ts_ms": 1},
                ),
            ),
            framed(key, avro(KEY, {"id": f"c-{at}"})),
        )
        for at, op in enumerate("ccuu")
    ]
    lines = drafted(tmp_path, registry, records, "customers")
    assert lines[:4] == ["topics: [customers]", "format: avro", "key_format: avro", "envelope: debezium"]


def test_json_with_a_schema_in_the_registry_is_json(registry: Registry, tmp_path: Path) -> None:
    id_ = registry.register("orders-value", '{"type": "object"}', "JSON").id
    records = [PreviewRecord("orders", framed(id_, json.dumps({"user_id": "u", "a": 1}).encode()))] * 3
    assert drafted(tmp_path, registry, records) == ["topics: [orders]"]


def test_text(tmp_path: Path) -> None:
    records = [PreviewRecord("lines", f"GET /{at}".encode(), b"user-1") for at in range(4)]
    assert drafted(tmp_path, None, records, "lines") == [
        "topics: [lines]",
        "format: text  # check: no value is JSON",
    ]
    with pytest.raises(DraftError, match="INVALID_JSON"):
        drafted(tmp_path / "few", None, records[:2], "lines")


def test_ids_that_the_registry_does_not_know_are_not_guessed(registry: Registry, tmp_path: Path) -> None:
    records = [PreviewRecord("orders", framed(9, avro(ORDER, each))) for each in orders()]
    with pytest.raises(DraftError, match="is an event: "):
        drafted(tmp_path, registry, records)
    with pytest.raises(DraftError, match=r"set schema_registry\.url"):
        drafted(tmp_path, None, records)


def test_a_missing_library_is_named(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = registry.register("paid-value", PROTO, "PROTOBUF").id
    monkeypatch.setattr("worker.formats.protobuf.is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"needs the extra 'protobuf'.*\[protobuf\]"):
        drafted(tmp_path, registry, [PreviewRecord("paid", framed(id_, b"\0\x0a\x00"))])
