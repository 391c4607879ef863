"""Mapping files with `format: protobuf`: rules over records, under every envelope, with keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from tests.support.enveloped import BINARY, IDS, change
from tests.support.records import record
from worker.core.records import QueuedCall, RejectedRecord
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.schemas import IdKind, Schema, SchemaId, Schemas
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import map_event

PROTO = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Line { string sku = 1; int32 qty = 2; }
message Order {
  string id = 1; google.protobuf.Timestamp at = 2; repeated Line lines = 3; optional string email = 4;
  map<string, double> totals = 5; Customer customer = 6;
}
message Customer { int64 id = 1; repeated string tags = 2; Customer referred_by = 3; }
message Source { string snapshot = 1; int64 ts_ms = 2; string table = 3; }
message Envelope { Order before = 1; Order after = 2; Source source = 3; string op = 4; int64 ts_ms = 5; }
message Event { string id = 1; string source = 2; string specversion = 3; string type = 4; Order data = 5; }
message Type { string type = 1; }
message Connect { Type schema = 1; Order payload = 2; }
"""
KINDS = ProtobufSchema(compile_text(PROTO, {}))
RULE = """
rules:
  - call: track
    event: Ordered
    userId: customer.id
    properties: {order: id, skus: 'lines[].sku', eur: totals.EUR, tag: 'customer.tags[0]', mail: email, all: customer}
"""
ORDER: dict[str, Any] = {
    "id": "o-1",
    "lines": [{"sku": "a", "qty": 1}, {"sku": "b"}],
    "totals": {"EUR": 9.5},
    "customer": {"id": 7, "tags": ["new"]},
}
PROPERTIES = {
    "order": "o-1",
    "skus": ["a", "b"],
    "eur": 9.5,
    "tag": "new",
    "all": {"id": 7, "tags": ["new"]},
}


def encoded(name: str, event: dict[str, Any]) -> bytes:
    value: bytes = GetMessageClass(KINDS.named(name))(**event).SerializeToString()
    return value


@pytest.fixture
def proto(tmp_path: Path) -> Path:
    file = tmp_path / "shop.proto"
    file.write_text(PROTO)
    return file


def read(text: str, schemas: Schemas | None = None) -> tuple[Mappings | None, list[Problem]]:
    problems: list[Problem] = []
    file = read_mapping(parse(f"topics: [orders]\n{text}", "rules.yaml"), problems, schemas)
    return None if file is None else Mappings([file], {}, []), problems


def mapped(text: str, value: bytes | None, schemas: Schemas | None = None, **more: Any) -> dict[str, Any]:
    mappings, problems = read(text, schemas)
    assert not problems, problems
    assert mappings is not None
    return map_event(mappings, record(value, **more))


def head(proto: Path, message: str, envelope: str = "none") -> str:
    return f"format: protobuf\nschema: {proto}\nmessage: {message}\nenvelope: {envelope}"


def test_a_rule_reads_messages_as_if_they_were_json(proto: Path) -> None:
    (call,) = mapped(f"{head(proto, 'shop.Order')}{RULE}", encoded("Order", ORDER))["calls"]
    assert call["properties"] == PROPERTIES
    assert call["userId"] == "7"


def test_a_mapper_gets_all_fields(proto: Path) -> None:
    rule = "\nrules:\n  - {call: track, event: A, userId: \"'u'\", properties: '@'}"
    (call,) = mapped(head(proto, "Order") + rule, encoded("Order", ORDER))["calls"]
    assert call["properties"] == {**ORDER, "lines": [{"sku": "a", "qty": 1}, {"sku": "b", "qty": 0}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (change("c", after=ORDER), PROPERTIES),
        (change("u", after=ORDER, before={"id": "old"}), PROPERTIES),
        (change("d", after=None, before=ORDER), PROPERTIES),
        (change("c", after=ORDER, source={"snapshot": "last"}), "snapshot"),
        (change("r", after=ORDER), "snapshot"),
        (change("m", after=None), "message"),
        (change("c", after=None), "INVALID_ENVELOPE"),
        (change("?", after=ORDER), "INVALID_ENVELOPE"),
    ],
)
def test_debezium_around_messages(proto: Path, given: dict[str, Any], expected: Any) -> None:
    text = f"{head(proto, 'shop.Envelope', 'debezium')}{RULE}"
    found = mapped(text, encoded("Envelope", given))
    if isinstance(expected, dict):
        assert found["calls"][0]["properties"] == expected
    else:
        assert (found.get("ignored") or found["rejected"]["reason"]) == expected


def test_cloudevents_around_messages(proto: Path) -> None:
    event = {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": "x", "data": ORDER}
    structured = mapped(f"{head(proto, 'shop.Event', 'cloudevents')}{RULE}", encoded("Event", event))
    binary = mapped(
        f"{head(proto, 'shop.Order', 'cloudevents')}{RULE}", encoded("Order", ORDER), of_headers=BINARY
    )
    assert structured["calls"][0]["properties"] == binary["calls"][0]["properties"] == PROPERTIES


def test_connect_around_messages(proto: Path) -> None:
    value = encoded("Connect", {"schema": {"type": "struct"}, "payload": ORDER})
    (call,) = mapped(f"{head(proto, 'shop.Connect', 'connect')}{RULE}", value)["calls"]
    assert call["properties"] == PROPERTIES


def test_keys_have_a_schema_of_their_own() -> None:
    schemas = Schemas()
    schemas.put(SchemaId(IdKind.CONFLUENT, 1), Schema("PROTOBUF", PROTO))
    text = 'syntax = "proto3"; message Key { int64 id = 1; }'
    schemas.put(SchemaId(IdKind.CONFLUENT, 2), Schema("PROTOBUF", text))
    rule = RULE.replace("customer.id", "_kafka.key.id")
    value = b"\x00\x00\x00\x00\x01\x02\x02" + encoded("Order", ORDER)
    key = b"\x00\x00\x00\x00\x02\x00\x08\x2a"
    mapping = f"format: protobuf\nkey_format: protobuf{rule}"
    assert mapped(mapping, value, schemas, key=key)["calls"][0]["userId"] == "42"
    found = mapped(mapping, value, schemas, key=b"text")
    assert found["rejected"]["reason"] == "INVALID_PROTOBUF"


def test_bad_records_cost_only_themselves(proto: Path) -> None:
    mappings, _ = read(f"{head(proto, 'shop.Order')}{RULE}")
    assert mappings is not None
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    good = encoded("Order", ORDER)
    bad = [b"\xff", good[:-1], b"\x0a\x02\xff\xfe", good + b"\x07"]
    records = [record(value) for each in bad for value in (each, good)]
    calls: list[QueuedCall] = []
    rejected: list[RejectedRecord] = []
    assert convert(records, calls, rejected) == 0
    assert [of for _, _, of, *_ in calls] == records[1::2]
    assert [(of, verdict.reason) for of, verdict in rejected] == [
        (of, "INVALID_PROTOBUF") for of in records[::2]
    ]
    assert not any("o-1" in verdict.detail for _, verdict in rejected)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("message: shop.Ordr", "there is no message shop.Ordr; messages: shop.Line, shop.Order"),
        ("", "name one of the schema's messages with `message:` (shop.Line, shop.Order"),
    ],
)
def test_what_is_wrong_with_a_message_is_a_problem_of_the_mapping(
    proto: Path, message: str, said: str
) -> None:
    _, (problem,) = read(f"format: protobuf\nschema: {proto}\n{message}{RULE}")
    assert said in str(problem)


def test_a_file_that_does_not_compile_is_a_problem_with_its_place(proto: Path) -> None:
    proto.write_text('syntax = "proto3";\nmessage A { B b = 1; }')
    _, problems = read(f"{head(proto, 'A')}{RULE}")
    assert 'shop.proto:2:13: "B" is not defined' in str(problems[0])


def test_a_descriptor_set_is_a_schema(tmp_path: Path) -> None:
    file = tmp_path / "shop.desc"
    file.write_bytes(compile_text(PROTO, {}))
    assert mapped(f"{head(file, 'shop.Order')}{RULE}", encoded("Order", ORDER))["calls"]
    file.write_bytes(b"text")
    _, problems = read(f"{head(file, 'shop.Order')}{RULE}")
    assert "it is not a descriptor set" in str(problems[0])


def test_a_missing_extra_is_a_problem_that_names_it(proto: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    for schema in ("registry", str(proto)):
        _, problems = read(f"format: protobuf\nschema: {schema}\nmessage: Order{RULE}")
        (problem,) = problems
        assert "needs the extra 'protobuf'" in str(problem)
        assert problem.hint == "pip install 'customerio-pipelines-worker[protobuf]'"
