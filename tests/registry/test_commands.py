"""The commands on records in Avro and Protobuf, with a real registry, real serializers and a real Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message_factory import GetMessages

from tests.support.dlq_command import Dlq
from tests.support.program import ROOT
from tests.support.registry import Registry
from tests.support.worker_process import Site
from worker.formats.protobuf.protoc import compile_text

pytestmark = pytest.mark.kafka

AVRO = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "type", "type": "string"},
        {"name": "customer", "type": "string"},
        {"name": "total", "type": "double"},
    ],
}
PROTO = """syntax = "proto3";
package shop;
message Order { string type = 1; string customer = 2; double total = 3; }
"""
MAPPING = """\
topics: [{topic}]
format: {format}
rules:
  - when: type == 'paid'
    call: track
    event: Order Paid
    userId: customer
    properties: {{total: total}}
"""
EVENTS = [
    {"type": "paid", "customer": "c-1", "total": 9.5},
    {"type": "paid", "customer": "undefined", "total": 1.5},
    {"type": "packed", "customer": "c-1", "total": 0.0},
]


def values(registry: Registry, topic: str, format_: str) -> list[bytes]:
    """The events as a producer's serializer writes them, which registers the schema."""
    context = SerializationContext(topic, MessageField.VALUE)
    with SchemaRegistryClient({"url": registry.url}) as client:
        if format_ == "avro":
            serializer = AvroSerializer(client, json.dumps(AVRO))
            return [serializer(event, context) for event in EVENTS]
        files = FileDescriptorSet.FromString(compile_text(PROTO, {})).file
        kind = GetMessages(files)["shop.Order"]
        to_bytes = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
        return [to_bytes(kind(**event), context) for event in EVENTS]


@pytest.fixture(params=["avro", "protobuf"])
def format_(request: pytest.FixtureRequest, site: Site, registry: Registry) -> str:
    """A topic with the events in one format, and a mapping for it."""
    word: str = request.param
    site.mapping = MAPPING.format(topic=site.topic, format=word)
    site.change("schema_registry", url=registry.url)
    site.kafka.append(site.topic, 0, values(registry, site.topic, word), key=b"k")
    return word


def test_map_and_trace_decode_records(site: Site, format_: str) -> None:
    dlq = Dlq(site)
    mapped = dlq.look("map", "--from-topic", site.topic)
    assert mapped.code == 1, mapped.err
    sent, rejected, other = mapped.lines
    (call,) = sent["calls"]
    assert (call["userId"], call["properties"]) == ("c-1", {"total": 9.5})
    assert rejected["rejected"]["reason"] == "FORBIDDEN_ID"
    assert other["ignored"] == "no rule matched"
    explained = dlq.look("map", "--explain", f"{site.topic}:0:0").out
    assert 'customer is "c-1"' in explained
    assert f"({format_}, schema id " in explained
    assert '"total":9.5' in explained

    traced = dlq.look("trace", f"{site.topic}:0:0", "--json")
    assert traced.lines[0]["calls"] == [call]
    by_id = dlq.look("trace", "--message-id", call["messageId"], "--json")
    assert [line["record"] for line in by_id.lines] == [f"{site.topic}:0:0"]


def test_check_connect_compares_every_version(site: Site, registry: Registry, format_: str) -> None:
    look = Dlq(site).look
    found = look("check", "--connect")
    assert f"schema {site.topic}-value: 1 version, compared with" in found.out.replace("\n", " ")
    assert "breaks rule" not in found.out
    newer = (
        json.dumps(AVRO | {"fields": AVRO["fields"][:2]})
        if format_ == "avro"
        else PROTO.replace(" double total = 3;", "")
    )
    with SchemaRegistryClient({"url": registry.url}) as client:
        client.register_schema(f"{site.topic}-value", Schema(newer, format_.upper()))
    found = look("check", "--connect")
    assert f"version 2 of {site.topic}-value breaks rule 1: it has no 'total' here" in " ".join(
        found.out.split()
    )


async def test_dead_letters_are_shown_and_replayed(site: Site, registry: Registry, format_: str) -> None:
    broken = values(registry, site.topic, format_)[0][:-2]
    site.kafka.append(site.topic, 0, [broken], key=b"k")
    assert await site.run_job() == 0
    dlq = Dlq(site)
    undecoded = (await dlq("show", f"{site.topic}:0:3", "--reveal")).out
    assert f"INVALID_{format_.upper()}" in undecoded
    assert f"value    {len(broken)} bytes\n" in undecoded
    assert "FORBIDDEN_ID" in (await dlq("list")).out
    shown = (await dlq("show", f"{site.topic}:0:1", "--reveal")).out
    assert f"({format_}, schema id " in shown
    assert '"customer": "undefined"' in shown
    assert '"total": 1.5' in shown

    site.change("schema_registry", url="http://127.0.0.1:1")
    away = await dlq("show", f"{site.topic}:0:1", "--reveal")
    assert away.code == 0
    assert "SCHEMA_NOT_FOUND" in away.out
    assert "cannot be told: schema registry: http://127.0.0.1:1: no response" in " ".join(away.out.split())
    assert (await dlq("replay", "--yes")).code == 1
    site.change("schema_registry", url=registry.url)

    site.mapping = site.mapping.replace("userId: customer", "userId: concat('id-', customer)")
    replayed = await dlq("replay", "--yes", "--reason", "FORBIDDEN_ID")
    assert replayed.code == 0, replayed.err
    assert "1" in replayed.out
    people = [call["userId"] for call in site.emulator.received.calls()]
    assert people == ["c-1", "id-undefined"]


def test_init_finds_the_format(
    site: Site, registry: Registry, format_: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("init")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "KAFKA_BOOTSTRAP_SERVERS": site.kafka.servers,
        "WORKER__SCHEMA_REGISTRY__URL": registry.url,
    }

    def program(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "worker", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environ)

    done = program("init", "--from-topic", site.topic)
    assert done.returncode == 0, done.stderr
    mapping = Path(folder, "config", "mappings", f"{site.topic}.yaml").read_text()
    assert mapping.splitlines()[1] == f"format: {format_}"
    del environ["WORKER__SCHEMA_REGISTRY__URL"]  # the draft's settings have it
    assert program("check").returncode == 0
    assert program("test").returncode == 0


def test_trace_finds_keys_in_avro(site: Site, registry: Registry) -> None:
    site.mapping = MAPPING.format(topic=site.topic, format="avro\nkey_format: avro")
    site.change("schema_registry", url=registry.url)
    with SchemaRegistryClient({"url": registry.url}) as client:
        key = AvroSerializer(client, '"string"')("k-1", SerializationContext(site.topic, MessageField.KEY))
    site.kafka.append(site.topic, 0, values(registry, site.topic, "avro"), key=key)
    found = Dlq(site).look("trace", "--topic", site.topic, "--key", "k-1", "--json")
    assert sorted(line["record"] for line in found.lines) == [f"{site.topic}:0:{n}" for n in range(3)]
    assert Dlq(site).look("trace", "--topic", site.topic, "--key", "k-2", "--json").code == 1
