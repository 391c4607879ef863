"""Values and keys of formats with schemas, as commands show them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from worker.core.reasons import Rejected
from worker.formats.schemas import IdKind, NoSchema, Schema, SchemaId, Schemas
from worker.mapping.explaining import Explanation
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PREVIEW_IDS, PreviewRecord, answer
from worker.mapping.trying.shown import key_text, shown_value, value_text

ORDER: dict[str, Any] = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}
RULES = "rules: [{call: track, event: Ordered, userId: id, properties: {key: _kafka.key}}]\n"


def avro(schema: Any, value: Any, id_: int = 1) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return b"\0" + id_.to_bytes(4) + out.getvalue()


def mappings(tmp_path: Path, head: str, schemas: Schemas | None = None) -> Mappings:
    (tmp_path / "m.yaml").write_text(f"topics: [orders]\n{head}\n{RULES}")
    return Mappings.load(
        [str(tmp_path / "m.yaml")], mapper_path=[], base=tmp_path, dead_letter_topic="d", schemas=schemas
    )


@pytest.fixture
def schemas() -> Schemas:
    found = Schemas()
    found.put(SchemaId(IdKind.CONFLUENT, 1), Schema("AVRO", json.dumps(ORDER)))
    found.put(SchemaId(IdKind.CONFLUENT, 2), Schema("AVRO", '"string"'))
    found.put(SchemaId(IdKind.CONFLUENT, 3), NoSchema("The schema registry does not know it."))
    return found


def test_a_value_is_decoded_with_its_schema_s_id(tmp_path: Path, schemas: Schemas) -> None:
    of = mappings(tmp_path, "format: avro", schemas)
    record = PreviewRecord("orders", avro(ORDER, {"id": "o-1"}))
    shown = shown_value(of, record)
    assert shown is not None
    assert (shown.value, shown.how) == ({"id": "o-1"}, "avro, schema id 1")
    assert value_text(of, record) == (b'{"id":"o-1"}', "avro, schema id 1")


def test_what_cannot_be_decoded_stays_bytes(tmp_path: Path, schemas: Schemas) -> None:
    of = mappings(tmp_path, "format: avro", schemas)
    for value in (avro(ORDER, {"id": "o-1"}, 3), avro(ORDER, {"id": "o-1"})[:-1], b"{}"):
        record = PreviewRecord("orders", value)
        with pytest.raises(Rejected):
            shown_value(of, record)
        assert value_text(of, record) == (value, None)


def test_json_and_tombstones_stand_for_themselves_and_text_is_named(tmp_path: Path) -> None:
    json_ = mappings(tmp_path, "format: json")
    assert value_text(json_, PreviewRecord("orders", b'{"a": 1}')) == (b'{"a": 1}', None)
    assert value_text(json_, PreviewRecord("orders", None)) == (None, None)
    assert value_text(json_, PreviewRecord("another", b"x")) == (b"x", None)
    text = mappings(tmp_path, "format: text")
    assert value_text(text, PreviewRecord("orders", b"line")) == (b'"line"', "text")


def test_keys_are_shown_decoded(tmp_path: Path, schemas: Schemas) -> None:
    of = mappings(tmp_path, "format: avro\nkey_format: avro", schemas)

    def shown(key: bytes | None) -> bytes | None:
        return key_text(of, PreviewRecord("orders", None, key))

    assert shown(avro("string", "k-1", 2)) == b"k-1"
    assert shown(avro(ORDER, {"id": "o-1"})) == b'{"id":"o-1"}'
    assert shown(b"text") == b"text"
    assert shown(None) is None
    assert key_text(mappings(tmp_path, "format: avro"), PreviewRecord("orders", None, b"k")) == b"k"


def test_schemas_are_fetched_before_a_record_is_explained(tmp_path: Path, schemas: Schemas) -> None:
    of = mappings(tmp_path, "format: avro\nkey_format: avro")
    asked: list[SchemaId] = []

    def fetch(ids: Any) -> None:
        asked.extend(ids)
        for id_ in ids:
            of.schemas.put(id_, schemas.get(id_) or NoSchema("none"))

    of.fetch_with(fetch)
    record = PreviewRecord("orders", avro(ORDER, {"id": "o-1"}), avro("string", "k-1", 2))
    for _ in range(2):
        (call,) = of.explain(record, PREVIEW_IDS).calls
        assert (call["userId"], call["properties"]) == ("o-1", {"key": "k-1"})
    assert sorted(id_.value for id_ in asked) == [1, 2]
    unknown = PreviewRecord("orders", avro(ORDER, {"id": "o-1"}, 9))
    assert answer(of.explain(unknown, PREVIEW_IDS))["rejected"]["reason"] == "SCHEMA_NOT_FOUND"
    of.prepare_keys("orders", [PreviewRecord("orders", None, avro("string", "k", 8))])
    assert asked[-1].value == 8


def test_json_events_need_no_schemas(tmp_path: Path) -> None:
    of = mappings(tmp_path, "format: avro").taking_json()
    of.fetch_with(lambda ids: pytest.fail(f"asked for {ids}"))
    (call,) = of.explain(PreviewRecord("orders", b'{"id": "o-1"}', b"k"), PREVIEW_IDS).calls
    assert call["userId"] == "o-1"


def test_an_explanation_may_be_unknown() -> None:
    assert answer(Explanation(unknown="the registry is away")) == {"unknown": "the registry is away"}
