"""Avro's values as JSON: logical types, unions, bytes, and what is refused."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.contract import avro_bytes, avro_schemas, with_prefix
from worker.core.reasons import Rejected
from worker.formats.encoding import Encoding
from worker.formats.formats import format_of
from worker.formats.schemas import IdKind, Reference, Schema, SchemaId, Schemas

UTC = dt.UTC


def decoded(schema: Any, data: bytes) -> Any:
    return format_of(Encoding("avro"), avro_schemas(schema)).decode_any(with_prefix(1, data))


def refused(schema: Any, data: bytes) -> Rejected:
    with pytest.raises(Rejected) as raised:
        decoded(schema, data)
    return raised.value


def logical(type_: str, logical_type: str, /, **more: Any) -> dict[str, Any]:
    return {"type": type_, "logicalType": logical_type, **more}


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (logical("int", "date"), dt.date(2026, 11, 21), "2026-11-21"),
        (logical("int", "date"), dt.date(1, 1, 1), "0001-01-01"),
        (
            logical("long", "timestamp-millis"),
            dt.datetime(2026, 11, 21, 10, tzinfo=UTC),
            "2026-11-21T10:00:00.000Z",
        ),
        (
            logical("long", "timestamp-micros"),
            dt.datetime(2026, 11, 21, 10, 0, 0, 1500, tzinfo=UTC),
            "2026-11-21T10:00:00.001500Z",
        ),
        (
            logical("long", "timestamp-micros"),
            dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
            "1969-12-31T23:59:59.000Z",
        ),
        (
            logical("long", "local-timestamp-millis"),
            dt.datetime(2026, 11, 21, 10),  # noqa: DTZ001 - it has no zone
            "2026-11-21T10:00:00.000",
        ),
        (logical("int", "time-millis"), dt.time(9, 5, 7, 30_000), "09:05:07.030"),
        (logical("long", "time-micros"), dt.time(9, 5, 7, 30), "09:05:07.000030"),
        (logical("bytes", "decimal", precision=10, scale=2), Decimal("-12.50"), "-12.50"),
        (logical("bytes", "decimal", precision=10, scale=2), Decimal("0.05"), "0.05"),
        (logical("bytes", "decimal", precision=40), Decimal(10**39), f"1{'0' * 39}"),
        (
            logical("fixed", "decimal", name="D", size=8, precision=10, scale=3),
            Decimal("1.234"),
            "1.234",
        ),
        (
            logical("string", "uuid"),
            UUID("6f1b6e26-3d4b-4f5e-9d2f-0123456789ab"),
            "6f1b6e26-3d4b-4f5e-9d2f-0123456789ab",
        ),
        ("bytes", b"\x00\xff", "AP8="),
        ({"type": "fixed", "name": "F", "size": 2}, b"\x00\xff", "AP8="),
        ({"type": "enum", "name": "E", "symbols": ["NEW", "OLD"]}, "OLD", "OLD"),
        (["null", "long"], None, None),
        (["null", "long"], 2**63 - 1, 2**63 - 1),
        (["string", "null"], "", ""),
        ([logical("int", "date"), "string"], dt.date(2026, 11, 21), "2026-11-21"),
        ({"type": "map", "values": "bytes"}, {"k": b"x"}, {"k": "eA=="}),
        ({"type": "array", "items": ["null", "bytes"]}, [b"x", None], ["eA==", None]),
        (logical("long", "no-such-type"), 7, 7),
    ],
)
def test_a_value_is_what_json_has_for_it(schema: Any, value: Any, expected: Any) -> None:
    assert decoded(schema, avro_bytes(schema, value)) == expected


def test_a_wrong_logical_type_is_ignored() -> None:
    assert decoded(logical("bytes", "decimal", precision=2, scale=5), b"\x02\x01") == "AQ=="
    assert decoded(logical("bytes", "decimal"), b"\x02\x01") == "AQ=="
    assert decoded(logical("fixed", "duration", name="D", size=2), b"\x00\x01") == "AAE="


def test_logical_types_that_fastavro_does_not_write() -> None:
    assert (
        decoded(logical("long", "timestamp-nanos"), zigzag(1_000_000_001)) == "1970-01-01T00:00:01.000000001Z"
    )
    duration = logical("fixed", "duration", name="D", size=12)
    numbers = (14, 3, 90_500)
    assert decoded(duration, b"".join(n.to_bytes(4, "little") for n in numbers)) == "P14M3DT90.500S"
    assert decoded(duration, bytes(12)) == "PT0S"
    of_bytes = logical("fixed", "uuid", name="U", size=16)
    assert decoded(of_bytes, bytes(range(16))) == "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize(
    ("schema", "data", "said"),
    [
        (logical("int", "date"), zigzag(2_932_897), "a date outside the years 1 to 9999"),
        (logical("int", "date"), zigzag(-(2**31)), "a date outside"),
        (logical("long", "timestamp-millis"), zigzag(2**63 - 1), "a time outside the years"),
        (logical("int", "time-millis"), zigzag(86_400_000), "a time of day outside of a day"),
        (
            logical("bytes", "decimal", precision=9),
            zigzag(10_001) + b"\x01" * 10_001,
            "a decimal of more than 10000 bytes",
        ),
        ("boolean", b"\x02", "stops being Avro"),
        (["null", "string"], b"\x04", "ends too early"),
        (["null", "string"], b"\x01", "ends too early"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02\x00", "stops being Avro"),
        ("string", b"\x02\xff", "text that is not UTF-8"),
        ("string", b"\x01\x00", "stops being Avro"),
        ("long", b"\xff" * 11, "stops being Avro"),
        ("long", b"\x02\x00", "1 more bytes follow"),
        ({"type": "array", "items": "double"}, b"\x02\x00", "stops being Avro"),
    ],
)
def test_what_is_no_value_is_refused(schema: Any, data: bytes, said: str) -> None:
    rejected = refused(schema, data)
    assert rejected.reason == "INVALID_AVRO"
    assert said in rejected.detail


def test_a_decimal_of_ten_thousand_digits_is_exact() -> None:
    number = 10**9_999 + 7
    data = number.to_bytes(4_200)
    text = decoded(logical("bytes", "decimal", precision=10_000, scale=2), zigzag(len(data)) + data)
    assert len(text) == 10_001
    assert text.startswith("10000") and text.endswith("00.07")  # noqa: PT018 - one number


def test_a_union_that_begins_with_a_zero_byte_is_not_taken_for_a_prefix() -> None:
    schema = Schema(
        "AVRO", json.dumps([{"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}])
    )
    plain = format_of(Encoding("avro", schema=schema, schema_id="none"))
    assert plain.decode(b"\x00\x0e") == {"a": 7}
    prefixed = format_of(Encoding("avro", schema=schema, schema_id="prefix"))
    assert prefixed.decode(b"\x00\x00\x00\x00\x07\x00\x0e") == {"a": 7}


@pytest.mark.parametrize("schema", ["string", ["null", "long"], {"type": "array", "items": "long"}])
def test_an_event_is_an_object(schema: Any) -> None:
    with pytest.raises(Rejected) as raised:
        format_of(Encoding("avro"), avro_schemas(schema)).decode(with_prefix(1, b"\x00"))
    assert raised.value.reason == "NOT_AN_OBJECT"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (Schema("PROTOBUF", 'syntax = "proto3";'), "it is a PROTOBUF schema"),
        (Schema("AVRO", "{"), "it is not JSON"),
        (Schema("AVRO", '"Order"'), "it uses the type 'Order', which it does not define"),
        (Schema("AVRO", '{"type": "record", "name": "R"}'), "the record 'R' has no fields"),
        (Schema("AVRO", "[" * 100_000), "it nests too deep"),
        (Schema("AVRO", '{"type": "enum", "name": "E", "symbols": ["A", "A"]}'), "Avro does not allow it"),
        (Schema("AVRO", "7"), "a type is neither a name, a list nor an object"),
    ],
)
def test_a_schema_of_no_use_rejects_the_records_that_name_it(schema: Schema, said: str) -> None:
    schemas = Schemas()
    schemas.put(SchemaId(IdKind.CONFLUENT, 1), schema)
    of = format_of(Encoding("avro"), schemas)
    for _ in range(2):
        with pytest.raises(Rejected) as raised:
            of.decode(with_prefix(1, b"\x00"))
        assert raised.value.reason == "INVALID_AVRO"
        assert said in raised.value.detail


def test_types_of_references_are_known_by_their_names() -> None:
    money = Schema("AVRO", '{"type": "record", "name": "Money", "namespace": "c", "fields": '
                   '[{"name": "cents", "type": "long"}]}')  # fmt: skip
    line = Schema("AVRO", '{"type": "record", "name": "Line", "namespace": "c", "fields": '
                  '[{"name": "price", "type": "Money"}]}', (Reference("c.Money", money),))  # fmt: skip
    order = Schema("AVRO", '{"type": "record", "name": "Order", "fields": [{"name": "line", "type": "c.Line"}, '
                   '{"name": "total", "type": "c.Money"}]}',
                   (Reference("c.Line", line), Reference("c.Money", money)))  # fmt: skip
    schemas = Schemas()
    schemas.put(SchemaId(IdKind.CONFLUENT, 1), order)
    found = format_of(Encoding("avro"), schemas).decode(with_prefix(1, b"\x0a\x0e"))
    assert found == {"line": {"price": {"cents": 5}}, "total": {"cents": 7}}


_names = st.sampled_from(["a", "b", "c"])
_leaves = st.sampled_from(["null", "boolean", "int", "long", "double", "string", "bytes"])


@st.composite
def _schemas(draw: st.DrawFn, depth: int = 0) -> Any:
    kind = draw(
        st.sampled_from(["leaf", "leaf", "array", "map", "record", "union"] if depth < 3 else ["leaf"])
    )
    match kind:
        case "array":
            return {"type": "array", "items": draw(_schemas(depth + 1))}
        case "map":
            return {"type": "map", "values": draw(_schemas(depth + 1))}
        case "record":
            names = draw(st.lists(_names, unique=True, max_size=3))
            fields = [{"name": name, "type": draw(_schemas(depth + 1))} for name in names]
            return {"type": "record", "name": f"R{draw(st.integers(0, 10**9))}", "fields": fields}
        case "union":
            return ["null", draw(_leaves.filter(lambda leaf: leaf != "null"))]
    return draw(_leaves)


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "string": st.text(max_size=200),
    "bytes": st.binary(max_size=200),
}


def _values(schema: Any) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.none() | _values(schema[1])
    if isinstance(schema, str):
        return _VALUES[schema]
    match schema["type"]:
        case "array":
            return st.lists(_values(schema["items"]), max_size=4)
        case "map":
            return st.dictionaries(st.text(max_size=5), _values(schema["values"]), max_size=4)
    return st.fixed_dictionaries({each["name"]: _values(each["type"]) for each in schema["fields"]})


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list) else value


@settings(max_examples=150)
@given(st.data())
def test_what_fastavro_writes_is_read(data: st.DataObject) -> None:
    schema = data.draw(_schemas())
    try:
        fastavro.parse_schema(json.loads(json.dumps(schema)))
    except fastavro.schema.SchemaParseException:
        return  # two types of one name
    value = data.draw(_values(schema))
    assert decoded(schema, avro_bytes(schema, value)) == _as_json(value)


def test_blocks_may_say_their_size() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "n", "type": {"type": "array", "items": "long"}}],
    }
    assert decoded(schema, b"\x03\x04\x0e\x10\x02\x02\x00") == {"n": [7, 8, 1]}
