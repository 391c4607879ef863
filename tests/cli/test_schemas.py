"""Formats with schemas in the commands, with a stand-in for the registry."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.support.program import Cli
from worker.demo.registry import Disturbance, Registered, Registry, running_registry

Write = Callable[[str, str], Path]

LINE = {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}
FIELDS = [
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["PLACED", "PAID"]}},
    {"name": "customer", "type": "string"},
    {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "lines", "type": {"type": "array", "items": LINE}},
]
ORDER = {"type": "record", "name": "Order", "fields": FIELDS}
PROTO = """syntax = "proto3";
package shop;
message Line { string sku = 1; }
message Order {
  enum Kind { PLACED = 0; PAID = 1; }
  Kind kind = 1;
  string customer = 2;
  string total = 3;
  repeated Line lines = 4;
}
"""
RULES = """rules:
  - when: kind == 'PAID'
    call: track
    event: Order Paid
    userId: customer
    properties: {total: total, skus: "lines[].sku", tombstone: _kafka.tombstone}
"""
EVENT = {"kind": "PAID", "customer": "cust-1", "total": b"\x03\xb6", "lines": [{"sku": "tea"}]}


def encoded(event: dict[str, Any] = EVENT, schema: Any = ORDER) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    return out.getvalue()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, write: Write) -> Iterator[Registry]:
    with running_registry(login=("reader", "secret")) as registry:
        monkeypatch.setenv("REGISTRY", registry.address)
        write(
            "config/worker.yaml",
            "schema_registry: {url: '${REGISTRY:-}', username: reader, password: secret}\n",
        )
        write("config/mappings/orders.yaml", f"topics: [orders]\nformat: avro\n{RULES}")
        yield registry


@pytest.fixture
def order(registry: Registry) -> Registered:
    return registry.register("orders-value", json.dumps(ORDER))


def value_file(folder: Path, value: bytes) -> Path:
    path = folder / "value.bin"
    path.write_bytes(value)
    return path


def properties(line: dict[str, Any]) -> dict[str, Any]:
    (call,) = line["calls"]
    assert call["userId"] == "cust-1"
    found: dict[str, Any] = call["properties"]
    return found


def test_map_raw_decodes_by_the_id_in_the_prefix(cli: Cli, order: Registered, tmp_path: Path) -> None:
    value = b"\0" + order.id.to_bytes(4) + encoded()
    done = cli("map", "--raw", value_file(tmp_path, value))
    assert (done.code, done.err) == (0, "")
    assert properties(done.lines[0]) == {"total": "9.50", "skus": ["tea"], "tombstone": False}
    assert cli("map", "--raw", "-", stdin=value).lines[0]["calls"]


def test_ids_are_taken_from_headers(cli: Cli, registry: Registry, order: Registered, tmp_path: Path) -> None:
    path = value_file(tmp_path, encoded())
    for header in (
        f"__value_schema_id={order.id}",
        f"__value_schema_id={order.guid}",
        f"__value_schema_id=0x00{order.id:08x}",
        f"apicurio.value.contentId={order.id}",
        f"apicurio.value.globalId={registry.global_id(order)}",
    ):
        done = cli("map", "--raw", path, "--header", header)
        assert done.code == 0, (header, done.err)
        assert properties(done.lines[0])["total"] == "9.50"


@pytest.mark.parametrize("value", ["x", "0x0", "4294967296", "-1", ""])
def test_a_header_that_holds_no_id_is_a_usage_error(cli: Cli, order: Registered, value: str) -> None:
    del order
    done = cli("map", "--raw", "-", "--header", f"__value_schema_id={value}")
    assert done.code == 2
    assert "__value_schema_id is a number, a GUID, or 0x and bytes" in done.err


def test_events_are_json_whatever_the_format(cli: Cli, order: Registered, write: Write) -> None:
    del order
    event = {"kind": "PAID", "customer": "cust-1", "total": "9.50", "lines": [{"sku": "tea"}]}
    done = cli("map", stdin=json.dumps(event).encode())
    assert properties(done.lines[0])["skus"] == ["tea"]
    write(
        "config/tests/orders.yaml",
        f"""- name: a paid order
  topic: orders
  event: {json.dumps(event)}
  calls:
    - {{type: track, userId: cust-1, event: Order Paid,
       properties: {{total: '9.50', skus: [tea], tombstone: false}}}}
""",
    )
    assert cli("test").code == 0
    done = cli("check", "--strict", "--coverage")
    assert (done.code, done.out) == (0, "")


def test_an_unknown_id_and_bad_bytes_have_their_reasons(cli: Cli, order: Registered, tmp_path: Path) -> None:
    done = cli("map", "--raw", value_file(tmp_path, b"\0\0\0\0\x63" + encoded()))
    assert (done.code, done.lines[0]["rejected"]["reason"]) == (1, "SCHEMA_NOT_FOUND")
    done = cli("map", "--raw", value_file(tmp_path, b"\0" + order.id.to_bytes(4) + encoded()[:-3]))
    assert (done.code, done.lines[0]["rejected"]["reason"]) == (1, "INVALID_AVRO")
    done = cli("map", "--raw", value_file(tmp_path, b'{"kind": "PAID"}'))
    assert (done.code, done.lines[0]["rejected"]["reason"]) == (1, "INVALID_AVRO")


def test_a_registry_that_does_not_answer_ends_the_command(
    cli: Cli, registry: Registry, order: Registered, tmp_path: Path
) -> None:
    path = value_file(tmp_path, b"\0" + order.id.to_bytes(4) + encoded())
    registry.disturbance = Disturbance(503)
    done = cli("map", "--raw", path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"schema registry: {registry.address}: the registry responds with status 503")
    registry.disturbance = None
    registry.login = ("reader", "another")
    done = cli("map", "--raw", path)
    assert (done.code, "rejects the login (401)" in done.err) == (1, True)


def test_without_a_registry_the_format_is_a_problem_of_the_configuration(
    cli: Cli, order: Registered, tmp_path: Path, write: Write
) -> None:
    path = value_file(tmp_path, b"\0" + order.id.to_bytes(4) + encoded())
    write("config/worker.yaml", "")
    done = cli("map", "--raw", path)
    assert done.code == 2
    assert "orders.yaml:2:9: this format needs a schema registry" in done.err
    done = cli("check")
    assert done.code == 1
    assert "orders.yaml:2:9: this format needs a schema registry" in done.out


# Comparing rules with a schema


IN_SCHEMA = "in the schema, which it does not take"
WRONG = """topics: [orders]
format: {format}
rules:
  - when: kind == 'PAYD'
    call: track
    event: Order Paid
    userId: custmer
    properties: {{total: "sum(lines[].sku)", sku: lines.sku}}
"""


@pytest.mark.parametrize(
    ("file", "text", "format_"),
    [("order.avsc", json.dumps(ORDER), "avro"), ("order.proto", PROTO, "protobuf")],
)
def test_rules_are_compared_with_a_schema_in_a_file(
    cli: Cli, write: Write, file: str, text: str, format_: str
) -> None:
    write("config/worker.yaml", "schema_registry: {url: 'http://127.0.0.1:1'}\n")
    write(
        "config/mappings/orders.yaml",
        WRONG.format(format=format_) + "message: shop.Order\n" * (format_ != "avro"),
    )
    write(file, text)
    done = cli("check", "--schema", file)
    assert done.code == 0
    places = [line.removeprefix("config/mappings/orders.yaml:") for line in done.out.splitlines()]
    assert [line.partition(" (")[0] for line in places] == [
        "4:19: warning: the enum has no 'PAYD'",
        f"7:13: warning: {file} has no 'custmer' here",
        f"8:26: warning: sum() is given a list of strings {IN_SCHEMA}: the result is null",
        "8:56: warning: a list has no 'sku', and it is a list in the schema",
    ]
    assert cli("check", "--schema", file, "--strict").code == 1
    assert cli("check", "--schema", f"orders={file}").out == done.out


def test_a_descriptor_set_is_a_schema_too(cli: Cli, write: Write, tmp_path: Path) -> None:
    from worker.formats.protobuf.protoc import compile_text

    (tmp_path / "order.desc").write_bytes(compile_text(PROTO, {}))
    write("config/worker.yaml", "schema_registry: {url: 'http://127.0.0.1:1'}\n")
    file = f"topics: [orders]\nformat: protobuf\nmessage: Order\n{RULES}"
    write("config/mappings/orders.yaml", file)
    assert cli("check", "--schema", "order.desc", "--strict").out == ""
    write("config/mappings/orders.yaml", file.replace("total: total", "total: totl"))
    found = cli("check", "--schema", "order.desc").out
    assert "order.desc has no 'totl' here (did you mean 'total'?)" in found


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("order.txt", "order.txt: a schema is a file .avsc, .proto, .desc"),
        ("missing.avsc", "missing.avsc: no such file"),
        ("broken.avsc", "broken.avsc: the schema is of no use: it is not JSON"),
        ("other=order.avsc", "no mapping names the topic 'other'"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_problem(
    cli: Cli, registry: Registry, write: Write, argument: str, said: str
) -> None:
    del registry
    write("order.avsc", json.dumps(ORDER))
    write("broken.avsc", "{")
    write("order.txt", "")
    done = cli("check", "--schema", argument)
    assert done.code == 1
    assert said in done.out


def test_of_several_mapping_files_those_of_the_format_are_compared(
    cli: Cli, registry: Registry, write: Write
) -> None:
    del registry
    write("config/mappings/other.yaml", "topics: [other]\n" + RULES.replace("customer", "nobody"))
    write("order.avsc", json.dumps(ORDER))
    assert cli("check", "--schema", "order.avsc").out == ""
    write("config/mappings/orders.yaml", "topics: [orders]\n" + RULES)
    done = cli("check", "--schema", "order.avsc")
    assert (done.code, done.out) == (
        1,
        "order.avsc: no mapping file has `format: avro` (name one of its topics: --schema TOPIC=order.avsc)\n",
    )
    assert "order.avsc has no 'nobody' here" in cli("check", "--schema", "other=order.avsc").out


def test_a_missing_extra_is_named(cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """By every command that loads the mappings, with the place of the format."""
    write("config/worker.yaml", "schema_registry: {url: 'http://127.0.0.1:1'}\n")
    write("config/mappings/orders.yaml", f"topics: [orders]\nformat: protobuf\n{RULES}")
    write("order.proto", PROTO)
    monkeypatch.setattr("worker.formats.protobuf.is_installed", lambda: False)
    for command in (
        ["map"],
        ["map", "--raw", "-"],
        ["test"],
        ["trace", "orders:0:0"],
        ["dlq", "show", "d:0:0"],
    ):
        done = cli(*command)
        assert (done.code, done.out) == (2, ""), command
        assert done.err.startswith(
            "config/mappings/orders.yaml:2:9: `format: protobuf` needs the extra 'protobuf'"
        )
        assert "pip install 'customerio-pipelines-worker[protobuf]'" in " ".join(done.err.split())
    for arguments in ([], ["--connect"], ["--schema", "order.proto"]):
        done = cli("check", *arguments)
        assert (done.code, "needs the extra 'protobuf'" in done.out) == (1, True), arguments


def test_the_demo_names_a_missing_extra(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastavro", None)
    monkeypatch.delitem(sys.modules, "worker.demo.avro", raising=False)
    done = cli("demo", "--format", "avro", "--exit")
    assert done.code == 2
    assert "needs the extra 'avro'" in done.err
    assert "pip install 'customerio-pipelines-worker[avro]'" in done.err


def test_the_file_that_a_mapping_names_is_compared_by_every_check(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/order.avsc", json.dumps(ORDER))
    write("config/mappings/orders.yaml", WRONG.format(format="avro\nschema: order.avsc"))
    found = cli("check").out
    assert "order.avsc has no 'custmer' here (did you mean 'customer'?)" in found
    assert cli("check", "--strict").code == 1
