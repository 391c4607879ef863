"""Protobuf as a format of records: which schema and message a value is of, with the serializer of confluent-kafka."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass

from worker.core.reasons import Rejected
from worker.core.record_reading import NO_HEADERS, RecordHeaders
from worker.formats.encoding import PROTOBUF, Encoding
from worker.formats.formats import format_of
from worker.formats.preparing import prepared
from worker.formats.protobuf.compiling import compiled
from worker.formats.protobuf.protoc import compile_text
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.schemas import IdKind, NoSchema, Reference, Schema, SchemaId, Schemas

MONEY_TEXT = 'syntax = "proto3"; package shop; message Money { int64 units = 1; }'
MONEY = Schema("PROTOBUF", MONEY_TEXT)
TEXT = """syntax = "proto3"; package shop; import "shop/money.proto"; import "google/type/date.proto";
message Ignored { message Inner { string id = 1; } }
message Order { string id = 1; Money total = 2; google.type.Date day = 3; }"""
ORDERS = Schema("PROTOBUF", TEXT, (Reference("shop/money.proto", MONEY),))
ORDER = GetMessageClass(ProtobufSchema(compile_text(TEXT, {"shop/money.proto": MONEY_TEXT})).named("Order"))
VALUE = ORDER(id="o-1", total={"units": 5}).SerializeToString()
EVENT = {"id": "o-1", "total": {"units": 5}}
ID = b"\x00\x00\x00\x00\x07"


def decode(
    value: bytes, headers: RecordHeaders = NO_HEADERS, *, schema: Any = ORDERS, **encoding: Any
) -> Any:
    schemas = Schemas()
    for kind, id_ in ((IdKind.CONFLUENT, 7), (IdKind.CONTENT, 7), (IdKind.GUID, "07" * 16)):
        schemas.put(SchemaId(kind, _guid(id_)), schema)
    return format_of(Encoding(PROTOBUF, **encoding), schemas).decode(value, headers)


def _guid(id_: int | str) -> int | str:
    if isinstance(id_, int):
        return id_
    return f"{id_[:8]}-{id_[8:12]}-{id_[12:16]}-{id_[16:20]}-{id_[20:]}"


def rejection(*given: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(Rejected) as caught:
        decode(*given, **options)
    assert caught.value.stage == "decode"
    return caught.value.reason, caught.value.detail


def test_a_value_begins_with_an_id_and_the_index_of_its_message() -> None:
    assert decode(ID + b"\x02\x02" + VALUE) == EVENT
    assert decode(ID + b"\x00") == {}
    assert decode(ID + b"\x04\x00\x00" + VALUE[:5]) == {"id": "o-1"}


def test_the_index_counts_even_where_the_mapping_names_a_message() -> None:
    assert decode(ID + b"\x02\x02" + VALUE, message="shop.Ignored") == EVENT


@pytest.mark.parametrize(
    ("header", "index"),
    [(ID, b"\x02\x02"), (b"\x01" + b"\x07" * 16, b"\x02\x02"), (ID, b"")],
)
def test_an_id_in_a_header_with_the_index(header: bytes, index: bytes) -> None:
    message = None if index else "Order"
    assert decode(VALUE, [("__value_schema_id", header + index)], message=message) == EVENT


def test_apicurio_writes_the_name_of_the_message() -> None:
    value = b"\x00" + bytes(7) + b"\x07" + b"\x07\x0a\x05Order" + VALUE
    assert decode(value, schema_id="prefix8") == EVENT


@pytest.mark.parametrize("name", ["Order", "shop.Order", "Ignored.Inner"])
def test_apicurio_writes_a_name_after_the_prefix_of_confluent_too(name: str) -> None:
    reference = bytes([2 + len(name), 0x0A, len(name)]) + name.encode()
    assert decode(ID + reference + VALUE)["id"] == "o-1"


def test_apicurio_names_the_message_in_a_header() -> None:
    id_ = ("apicurio.value.contentId", bytes(7) + b"\x07")
    assert decode(VALUE, [id_, ("apicurio.protobuf.type", b"Order")]) == EVENT
    unknown = rejection(VALUE, [id_, ("apicurio.protobuf.type", b"Ordr")])
    assert unknown == ("INVALID_PROTOBUF", "The schema has no such message as the value says that it holds.")
    assert decode(VALUE, [id_], message="shop.Order") == EVENT
    reason, detail = rejection(VALUE, [id_])
    assert reason == "INVALID_PROTOBUF"
    assert "name one of the schema's messages with `message:` (shop.Ignored, shop.Order)" in detail


@pytest.mark.parametrize("schema_id", ["none", "prefix", "prefix8"])
def test_a_schema_from_a_file(schema_id: str) -> None:
    before = {"none": b"", "prefix": ID + b"\x02\x02", "prefix8": bytes(9) + b"\x07\x0a\x05Order"}[schema_id]
    message = "shop.Order" if schema_id == "none" else None
    encoding = Encoding(PROTOBUF, compiled(ORDERS), schema_id, message=message)
    assert format_of(encoding).decode(before + VALUE) == EVENT


@pytest.mark.parametrize(
    "value",
    [
        b"",
        ID,
        ID + b"\x02",
        ID + b"\x02\x06" + VALUE,
        ID + b"\x02\x02" + VALUE[:-1],
        ID + b"\x02\x02" + VALUE + b"\xff",
        ID + b"\x01" + VALUE,
        b"\x01" + ID + b"\x02\x02" + VALUE,
        b"{}",
    ],
)
def test_bytes_that_are_no_value_are_rejected(value: bytes) -> None:
    reason, detail = rejection(value)
    assert reason == "INVALID_PROTOBUF"
    assert "o-1" not in detail


@pytest.mark.parametrize("name", [b"\x03\x0a\x01X", b"\x02\x0a\x00", b"\xff", b""])
def test_a_message_that_the_schema_does_not_have_is_rejected(name: bytes) -> None:
    value = b"\x00" + bytes(7) + b"\x07" + name + VALUE
    reason, detail = rejection(value, schema_id="prefix8")
    assert reason == "INVALID_PROTOBUF"
    assert "X" not in detail


def test_schemas_of_no_use() -> None:
    avro = Schema("AVRO", '"string"')
    assert rejection(ID + b"\x00", schema=avro) == (
        "INVALID_PROTOBUF",
        "The schema with the id 7 is of no use: it is of the type AVRO, not PROTOBUF.",
    )
    assert rejection(ID + b"\x00", schema=NoSchema("Gone."))[0] == "SCHEMA_NOT_FOUND"
    enum = Schema("PROTOBUF", 'syntax = "proto3"; enum E { A = 0; }')
    assert "no message at this message index" in rejection(ID + b"\x00", schema=enum)[1]
    wrong = Schema("PROTOBUF", 'syntax = "proto3"; message A { B b = 1; }')
    assert '"B" is not defined' in rejection(ID + b"\x00", schema=wrong)[1]


def test_references_that_lead_back_are_rejected() -> None:
    first = Schema("PROTOBUF", 'syntax = "proto3"; import "b.proto"; message A {}')
    second = Schema(
        "PROTOBUF", 'syntax = "proto3"; import "a.proto"; message B {}', (Reference("a.proto", first),)
    )
    object.__setattr__(first, "references", (Reference("b.proto", second),))
    reason, detail = rejection(ID + b"\x00", schema=first)
    assert reason == "INVALID_PROTOBUF"
    assert "b.proto" in detail


def test_a_message_that_the_mapping_names_must_be_there() -> None:
    assert "there is no message Ordr; messages: " in rejection(ID + b"\x00", message="Ordr")[1]


def encoded(text: str, imports: dict[str, str]) -> str:
    """A file's descriptor in base64, as the serializers for Python and Go register it."""
    return b64encode(
        FileDescriptorSet.FromString(compile_text(text, imports)).file[-1].SerializeToString()
    ).decode()


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("reference", [True, False])
def test_descriptors_and_text_may_refer_to_each_other(*, own: bool, reference: bool) -> None:
    money = Schema("PROTOBUF", encoded(MONEY_TEXT, {}) if reference else MONEY_TEXT)
    text = encoded(TEXT, {"shop/money.proto": MONEY_TEXT}) if own else TEXT
    schema = Schema("PROTOBUF", text, (Reference("shop/money.proto", money),))
    assert decode(ID + b"\x02\x02" + VALUE, schema=schema) == EVENT


def test_any_json_value_is_a_key() -> None:
    text = 'syntax = "proto3"; import "google/protobuf/wrappers.proto"; message A {}'
    wrappers = compile_text(text, {})
    *files, _ = FileDescriptorSet.FromString(wrappers).file
    schema = Schema("PROTOBUF", FileDescriptorSet(file=files).SerializeToString())
    encoding = Encoding(PROTOBUF, schema, "none", message="google.protobuf.Int64Value", of_key=True)
    assert format_of(encoding).decode_any(b"\x08\x05") == 5
    with pytest.raises(Rejected, match="NOT_AN_OBJECT"):
        format_of(encoding).decode(b"\x08\x05")


def test_what_the_serializer_of_confluent_kafka_writes_and_registers() -> None:
    """It registers descriptors in base64, each import as a schema of its own."""
    client = SchemaRegistryClient.new_client({"url": "mock://orders"})
    serialize = ProtobufSerializer(ORDER, client, {"use.deprecated.format": False})
    value = serialize(ORDER(id="o-1", total={"units": 5}), SerializationContext("orders", MessageField.VALUE))

    def fetched(schema: Any) -> Schema:
        references = tuple(
            Reference(each.name, fetched(client.get_version(each.subject, each.version).schema))
            for each in schema.references or ()
        )
        return Schema(schema.schema_type, schema.schema_str, references)

    schemas = Schemas()
    id_ = int.from_bytes(value[1:5])
    schemas.put(SchemaId(IdKind.CONFLUENT, id_), fetched(client.get_schema(id_)))
    assert format_of(Encoding(PROTOBUF), schemas).decode(value) == EVENT


def test_a_fetched_schema_is_compiled_before_records_are_decoded() -> None:
    for type_ in ("PROTOBUF", ""):  # Apicurio's own API does not say the type
        ready = prepared(Schema(type_, TEXT, ORDERS.references))
        assert isinstance(ready, Schema)
        assert isinstance(ready.text, bytes)
        assert decode(ID + b"\x02\x02" + VALUE, schema=ready) == EVENT


def test_a_fetched_schema_of_no_use_rejects_its_records() -> None:
    wrong = prepared(Schema("PROTOBUF", 'syntax = "proto3"; message A { B b = 1; }'))
    assert rejection(ID + b"\x00", schema=wrong) == (
        "INVALID_PROTOBUF",
        'The schema of the registry is of no use: schema.proto:1:32: "B" is not defined.',
    )


@pytest.mark.parametrize(
    "schema", [Schema("AVRO", '"string"'), Schema("", ' {"type": "record"}'), NoSchema("Gone.")]
)
def test_other_schemas_are_left_as_they_are(schema: Schema | NoSchema) -> None:
    assert prepared(schema) is schema
