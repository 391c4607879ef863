"""Where schema ids are: headers, prefixes, and what is no id."""

from __future__ import annotations

import uuid

import pytest

from tests.support.memory_source import MemoryRecord
from worker.core.reasons import Rejected
from worker.core.record_reading import RecordHeaders
from worker.formats.encoding import Encoding
from worker.formats.formats import format_of
from worker.formats.schema_ids import SchemaIds
from worker.formats.schemas import MAX_SCHEMAS, IdKind, Schema, SchemaId, Schemas
from worker.formats.with_schema import SchemaFormat

GUID = uuid.UUID("6f1b6e26-3d4b-4f5e-9d2f-0123456789ab")
CONTENT, GLOBAL = ("apicurio.value.contentId", (8).to_bytes(8)), ("apicurio.value.globalId", (9).to_bytes(8))
IN_HEADER = ("__value_schema_id", b"\x00\x00\x00\x00\x07")
PREFIXED = b"\x00\x00\x00\x00\x05data"


@pytest.mark.parametrize(
    ("encoding", "headers", "value", "expected", "start"),
    [
        (Encoding("avro"), [], PREFIXED, SchemaId(IdKind.CONFLUENT, 5), 5),
        (Encoding("avro"), [("other", b"1")], PREFIXED, SchemaId(IdKind.CONFLUENT, 5), 5),
        (Encoding("avro"), [GLOBAL, CONTENT, IN_HEADER], b"data", SchemaId(IdKind.CONFLUENT, 7), 0),
        (Encoding("avro"), [GLOBAL, CONTENT], b"data", SchemaId(IdKind.CONTENT, 8), 0),
        (Encoding("avro"), [GLOBAL], PREFIXED, SchemaId(IdKind.GLOBAL, 9), 0),
        (
            Encoding("avro"),
            [("__value_schema_id", b"\x01" + GUID.bytes)],
            b"data",
            SchemaId(IdKind.GUID, str(GUID)),
            0,
        ),
        (Encoding("avro"), [("__value_schema_id", None)], PREFIXED, SchemaId(IdKind.CONFLUENT, 5), 5),
        (Encoding("avro", schema_id="prefix"), [IN_HEADER], PREFIXED, SchemaId(IdKind.CONFLUENT, 5), 5),
        (
            Encoding("avro", schema_id="prefix8", apicurio_id="content"),
            [IN_HEADER],
            bytes(8) + b"\x05data",
            SchemaId(IdKind.CONTENT, 5),
            9,
        ),
        (
            Encoding("avro", schema_id="prefix8", apicurio_id="global"),
            [],
            bytes(8) + b"\x05data",
            SchemaId(IdKind.GLOBAL, 5),
            9,
        ),
        (
            Encoding("avro", of_key=True),
            [IN_HEADER, ("__key_schema_id", b"\x00\x00\x00\x00\x03")],
            b"key",
            SchemaId(IdKind.CONFLUENT, 3),
            0,
        ),
        (
            Encoding("avro", of_key=True),
            [("apicurio.key.globalId", (4).to_bytes(8))],
            b"key",
            SchemaId(IdKind.GLOBAL, 4),
            0,
        ),
        (Encoding("avro", schema=Schema("AVRO", '"long"'), schema_id="none"), [IN_HEADER], b"\x00", None, 0),
        (Encoding("avro", schema=Schema("AVRO", '"long"'), schema_id="prefix"), [], PREFIXED, None, 5),
    ],
)
def test_an_id_is_found(
    encoding: Encoding, headers: RecordHeaders, value: bytes, expected: SchemaId | None, start: int
) -> None:
    found = SchemaIds(encoding, "INVALID_AVRO").find(value, headers)
    assert (found.id, found.start) == (expected, start)


@pytest.mark.parametrize(
    ("schema_id", "headers", "value", "said"),
    [
        ("auto", [], b"", "The value does not begin with a zero byte"),
        ("auto", [], b"{}", "does not begin with a zero byte and a schema id of 4 bytes"),
        ("auto", [], b"\x00\x00\x00\x00", "does not begin with a zero byte"),
        ("prefix8", [], PREFIXED[:8], "a schema id of 8 bytes"),
        ("auto", [("__value_schema_id", b"")], PREFIXED, "The header __value_schema_id holds no schema id"),
        ("auto", [("__value_schema_id", b"\x02\x00\x00\x00\x01")], PREFIXED, "holds no schema id"),
        ("auto", [("__value_schema_id", b"\x01short")], PREFIXED, "holds no schema id"),
        ("auto", [("apicurio.value.globalId", b"\x00\x07")], PREFIXED, "expected 8 bytes"),
    ],
)
def test_what_is_no_id_is_refused(schema_id: str, headers: RecordHeaders, value: bytes, said: str) -> None:
    with pytest.raises(Rejected) as refused:
        SchemaIds(Encoding("avro", schema_id=schema_id), "INVALID_AVRO").find(value, headers)
    assert refused.value.reason == "INVALID_AVRO"
    assert said in refused.value.detail


def record(value: bytes | None, *headers: tuple[str, bytes | None]) -> MemoryRecord:
    return MemoryRecord(("orders", 0), 0, None, value, list(headers) or None)


def test_what_is_missing_is_told_until_it_is_there() -> None:
    schemas = Schemas()
    of = format_of(Encoding("avro"), schemas)
    assert isinstance(of, SchemaFormat)
    records = [record(PREFIXED), record(None), record(b"junk"), record(b"data", IN_HEADER), record(PREFIXED)]
    five, seven = SchemaId(IdKind.CONFLUENT, 5), SchemaId(IdKind.CONFLUENT, 7)
    assert of.missing(records) == {0: five, 3: seven, 4: five}
    schemas.put(five, Schema("AVRO", '"long"'))
    assert of.missing(records) == {3: seven}
    assert of.missing(records) == {3: seven}
    for number in range(MAX_SCHEMAS):
        schemas.put(SchemaId(IdKind.CONFLUENT, 100 + number), Schema("AVRO", '"long"'))
    assert len(schemas) == MAX_SCHEMAS
    assert of.missing(records) == {0: five, 3: seven, 4: five}
