"""What Protobuf's types are as JSON: from the generic decoder and from generated code."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats.protobuf.schemas_of_tests import message_class
from worker.core.reasons import Rejected
from worker.formats.protobuf import values
from worker.formats.protobuf.generated import decoder
from worker.formats.wanted import WHOLE, wanted_event
from worker.mapping.compiler.decoder import FieldsUsed, struct_type_of


def decoded(kind: Any, value: bytes) -> Any:
    """The JSON of a message, which both ways to decode it must agree on."""
    found = values.decode(kind, value)
    assert repr(decoder(kind.DESCRIPTOR, WHOLE)(value)) == repr(found)
    return found


def json_of(text: str, *, proto2: bool = False, **fields: Any) -> Any:
    kind = message_class(text, proto2=proto2)
    return decoded(kind, kind(**fields).SerializeToString())


def rejection(kind: Any, value: bytes) -> Rejected:
    with pytest.raises(Rejected) as generic:
        values.decode(kind, value)
    with pytest.raises(Rejected) as generated:
        decoder(kind.DESCRIPTOR, WHOLE)(value)
    assert (generic.value.reason, generic.value.detail) == (generated.value.reason, generated.value.detail)
    assert generic.value.stage == "decode"
    return generic.value


@pytest.mark.parametrize(
    ("type_", "given", "expected"),
    [
        ("int64", -(2**63), -(2**63)),
        ("uint64", 2**64 - 1, 2**64 - 1),
        ("fixed64", 9007199254740993, 9007199254740993),
        ("sint32", -1, -1),
        ("bool", True, True),
        ("string", "é", "é"),
        ("bytes", b"\x00\xff", "AP8="),
        ("double", 0.1, 0.1),
        ("double", float("inf"), float("inf")),
        ("float", 0.1, 0.1),
        ("float", 16777216.0, 16777216.0),
        ("float", 3.4028234663852886e38, 3.4028235e38),
        ("float", 1.401298464324817e-45, 1.401298e-45),
        ("float", 1.00000011920929, 1.0000001),
    ],
)
def test_scalars(type_: str, given: Any, expected: Any) -> None:
    assert json_of(f"message M {{ {type_} f = 1; }}", f=given) == {"f": expected}


def test_not_a_number_is_left_to_the_check_of_calls() -> None:
    assert repr(json_of("message M { float f = 1; double d = 2; }", f=float("nan"), d=float("nan"))) == repr(
        {"f": float("nan"), "d": float("nan")}
    )


def test_what_has_no_presence_has_its_default_and_what_has_is_not_found() -> None:
    text = """message M {
        int64 number = 1; string text = 2; bytes data = 3; bool flag = 4; E enum = 5; repeated M list = 6;
        map<string, M> map = 7; optional int64 maybe = 8; M message = 9; oneof one { string a = 10; M b = 11; }
    } enum E { ZERO = 0; }"""
    assert json_of(text) == {
        "number": 0,
        "text": "",
        "data": "",
        "flag": False,
        "enum": "ZERO",
        "list": [],
        "map": {},
    }
    assert json_of(text, maybe=0, a="")["maybe"] == 0
    assert json_of(text, a="")["a"] == ""
    assert "a" not in json_of(text, b={})


def test_defaults_and_required_fields_of_proto2() -> None:
    text = """message M {
        required string id = 1; optional int32 plain = 2; optional int32 five = 3 [default = 5];
        optional E e = 4 [default = TWO]; oneof one { int32 in_one = 5 [default = 3]; }
    } enum E { ONE = 1; TWO = 2; }"""
    assert json_of(text, proto2=True, id="x") == {"id": "x", "five": 5, "e": "TWO"}
    assert json_of(text, proto2=True, id="x", plain=0, five=0, in_one=3) == {
        "id": "x",
        "plain": 0,
        "five": 0,
        "e": "TWO",
        "in_one": 3,
    }
    refused = rejection(message_class(text, proto2=True), b"\x10\x01")
    assert (refused.reason, refused.detail) == (
        "INVALID_PROTOBUF",
        "The value is no p.M: it lacks a required field.",
    )


def test_a_group_is_a_message() -> None:
    text = "message M { repeated group Line = 1 { optional string sku = 2; } }"
    assert json_of(text, proto2=True, line=[{"sku": "a"}, {}]) == {"line": [{"sku": "a"}, {}]}


def test_enums_by_name_and_unknown_numbers_as_they_are() -> None:
    text = "message M { E e = 1; repeated E all = 2; } enum E { option allow_alias = true; A = 0; B = 1; C = 1; }"
    assert json_of(text, e=1, all=[0, 1, 7, -1]) == {"e": "B", "all": ["A", "B", 7, -1]}


def test_an_unknown_number_of_a_closed_enum_is_not_found() -> None:
    kind = message_class("message M { optional E e = 1; } enum E { A = 0; }", proto2=True)
    assert decoded(kind, b"\x08\x07") == {}


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("string", {"b": 1, "a": 2}, {"a": 2, "b": 1}),
        ("int64", {10: 1, -2: 2}, {"-2": 2, "10": 1}),
        ("bool", {True: 1, False: 2}, {"false": 2, "true": 1}),
    ],
)
def test_maps_are_objects_in_the_order_of_their_keys(key: str, given: Any, expected: Any) -> None:
    found = json_of(f"message M {{ map<{key}, int32> f = 1; }}", f=given)
    assert found == {"f": expected}
    assert list(found["f"]) == list(expected)


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (1795255200, 250_000_000, "2026-11-21T10:00:00.250Z"),
        (1795255200, 1_000, "2026-11-21T10:00:00.000001Z"),
        (-1, 1, "1969-12-31T23:59:59.000000001Z"),
        (-62135596800, 0, "0001-01-01T00:00:00Z"),
        (253402300799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_timestamps(seconds: int, nanos: int, expected: str) -> None:
    text = "message M { google.protobuf.Timestamp f = 1; }"
    assert json_of(text, f={"seconds": seconds, "nanos": nanos}) == {"f": expected}


@pytest.mark.parametrize(("seconds", "nanos"), [(253402300800, 0), (-62135596801, 0), (0, -1), (0, 10**9)])
def test_a_timestamp_that_rfc_3339_cannot_say_is_rejected(seconds: int, nanos: int) -> None:
    kind = message_class("message M { google.protobuf.Timestamp f = 1; }")
    refused = rejection(kind, kind(f={"seconds": seconds, "nanos": nanos}).SerializeToString())
    assert refused.detail == "A google.protobuf.Timestamp is not within the years 1 to 9999."


@pytest.mark.parametrize(
    ("seconds", "nanos", "expected"),
    [
        (0, 0, "PT0S"),
        (90, 500_000_000, "PT90.500S"),
        (-1, -1_000_000, "-PT1.001S"),
        (0, -1, "-PT0.000000001S"),
    ],
)
def test_durations(seconds: int, nanos: int, expected: str) -> None:
    text = "message M { google.protobuf.Duration f = 1; }"
    assert json_of(text, f={"seconds": seconds, "nanos": nanos}) == {"f": expected}


@pytest.mark.parametrize(("seconds", "nanos"), [(1, -1), (10**12, 0), (0, 10**9)])
def test_a_duration_that_is_none_is_rejected(seconds: int, nanos: int) -> None:
    kind = message_class("message M { google.protobuf.Duration f = 1; }")
    assert (
        rejection(kind, kind(f={"seconds": seconds, "nanos": nanos}).SerializeToString()).reason
        == "INVALID_PROTOBUF"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((2026, 11, 21), "2026-11-21"),
        ((2026, 11, 0), "2026-11"),
        ((2026, 0, 0), "2026"),
        ((0, 2, 29), "--02-29"),
        ((0, 0, 0), None),
    ],
)
def test_dates(given: tuple[int, int, int], expected: str | None) -> None:
    text = "message M { google.type.Date f = 1; }"
    assert json_of(text, f=dict(zip(("year", "month", "day"), given, strict=True))) == {"f": expected}


@pytest.mark.parametrize(
    "given", [(2026, 13, 1), (2026, 2, 30), (0, 0, 1), (2026, 0, 1), (0, 1, 0), (12345, 1, 1)]
)
def test_a_date_that_is_none_is_rejected(given: tuple[int, int, int]) -> None:
    kind = message_class("message M { google.type.Date f = 1; }")
    message = kind(f=dict(zip(("year", "month", "day"), given, strict=True)))
    assert rejection(kind, message.SerializeToString()).detail == "A google.type.Date is not a date."


def test_times_of_day_and_civil_times() -> None:
    text = "message M { google.type.TimeOfDay t = 1; google.type.DateTime d = 2; }"
    day = {"year": 2026, "month": 7, "day": 1, "hours": 9, "minutes": 30, "nanos": 5_000_000}
    assert json_of(text, t={"hours": 23, "seconds": 5}) == {"t": "23:00:05"}
    assert json_of(text, d=day) == {"d": "2026-07-01T09:30:00.005"}
    assert json_of(text, d={**day, "utc_offset": {"seconds": -5400}}) == {
        "d": "2026-07-01T09:30:00.005-01:30"
    }
    zone = {"time_zone": {"id": "Europe/Berlin"}}
    assert json_of(text, d={**day, **zone}) == {"d": "2026-07-01T09:30:00.005+02:00"}
    kind = message_class(text)
    for wrong in ({"t": {"hours": 25}}, {"d": {"year": 2026}}, {"d": {**day, "time_zone": {"id": "../etc"}}}):
        assert rejection(kind, kind(**wrong).SerializeToString()).reason == "INVALID_PROTOBUF"


@pytest.mark.parametrize(
    ("unscaled", "scale", "expected"),
    [
        (123456, 2, "1234.56"),
        (-5, 3, "-0.005"),
        (5, -2, "500"),
        (0, 2, "0.00"),
        (0, -2, "0"),
        (10**40 + 1, 0, f"1{'0' * 39}1"),
    ],
)
def test_confluent_decimals_are_exact(unscaled: int, scale: int, expected: str) -> None:
    value = unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)
    text = "message M { confluent.type.Decimal f = 1; }"
    assert json_of(text, f={"value": value, "scale": scale, "precision": 9}) == {"f": expected}


def test_a_decimal_of_ten_thousand_digits_is_exact() -> None:
    value = (-(10**9999)).to_bytes(4200, "big", signed=True)
    text = "message M { confluent.type.Decimal f = 1; }"
    assert json_of(text, f={"value": value, "scale": 9999}) == {"f": f"-1.{'0' * 9999}"}


@pytest.mark.parametrize(("size", "scale"), [(10_001, 0), (1, 2**31 - 1), (1, -(2**31))])
def test_a_decimal_with_too_many_digits_is_rejected(size: int, scale: int) -> None:
    kind = message_class("message M { confluent.type.Decimal f = 1; }")
    refused = rejection(kind, kind(f={"value": b"\x01" * size, "scale": scale}).SerializeToString())
    assert refused.detail == "A decimal has more than 25,000 digits."


def test_google_decimals_are_their_text() -> None:
    text = "message M { google.type.Decimal a = 1; google.type.Decimal b = 2; }"
    assert json_of(text, a={"value": "1.50"}, b={}) == {"a": "1.50", "b": "0"}


def test_wrappers_are_bare() -> None:
    names = ("String", "Int64", "UInt64", "Int32", "UInt32", "Bool", "Bytes", "Float", "Double")
    fields = " ".join(f"google.protobuf.{name}Value f{n} = {n};" for n, name in enumerate(names, 1))
    values_ = ("x", -(2**63), 2**64 - 1, -1, 1, True, b"\xff", 0.1, 0.1)
    given: dict[str, Any] = {f"f{n}": {"value": v} for n, v in enumerate(values_, 1)}
    found = json_of(f"message M {{ {fields} }}", **given)
    assert list(found.values()) == ["x", -(2**63), 2**64 - 1, -1, 1, True, "/w==", 0.1, 0.1]
    assert json_of(f"message M {{ {fields} }}", f1={}) == {"f1": ""}


def test_structs_are_json() -> None:
    kind = message_class(
        "message M { google.protobuf.Struct s = 1; google.protobuf.Value v = 2; google.protobuf.ListValue l = 3;"
        " google.protobuf.NullValue n = 4; }"
    )
    message = kind()
    message.s.update({"z": {"list": [1, 1.5, "x", True, None, []]}, "a": 2**53, "id": 12345})
    message.l.extend([1, {"a": 2}])
    message.v.SetInParent()
    expected = {
        "s": {"a": 2.0**53, "id": 12345, "z": {"list": [1, 1.5, "x", True, None, []]}},
        "v": None,
        "l": [1, {"a": 2}],
        "n": None,
    }
    found = decoded(kind, message.SerializeToString())
    assert found == expected
    assert list(found["s"]) == ["a", "id", "z"]
    assert type(found["s"]["id"]) is int


def test_any_is_its_value_with_its_type() -> None:
    kind = message_class("message M { google.protobuf.Any a = 1; string id = 2; M m = 3; }")
    inner = kind(id="x").SerializeToString()
    url = "type.googleapis.com/"

    def any_of(name: str, value: bytes) -> Any:
        return decoded(kind, kind(a={"type_url": name, "value": value}).SerializeToString())["a"]

    assert any_of(f"{url}p.M", inner) == {"@type": f"{url}p.M", "id": "x"}
    assert any_of(f"{url}google.protobuf.Timestamp", b"") == {
        "@type": f"{url}google.protobuf.Timestamp",
        "value": "1970-01-01T00:00:00Z",
    }
    assert any_of(f"{url}elsewhere.Unknown", b"\xff") == {"@type": f"{url}elsewhere.Unknown", "value": "/w=="}
    assert any_of("", b"") == {}
    bad = kind(a={"type_url": f"{url}p.M", "value": b"\xff"}).SerializeToString()
    assert rejection(kind, bad).reason == "INVALID_PROTOBUF"


def test_a_message_that_only_has_the_name_of_a_known_type_is_an_object() -> None:
    from google.protobuf.message_factory import GetMessageClass

    from worker.formats.protobuf.protoc import compile_text
    from worker.formats.protobuf.schemas import ProtobufSchema

    text = (
        'syntax = "proto3"; package google.type; message Date { string text = 1; } message M { Date d = 1; }'
    )
    kind = GetMessageClass(ProtobufSchema(compile_text(text, {})).named("google.type.M"))
    assert decoded(kind, kind(d={"text": "today"}).SerializeToString()) == {"d": {"text": "today"}}


def test_unknown_fields_and_extensions_are_left_out() -> None:
    kind = message_class(
        "message M { optional int32 a = 1; extensions 100 to 200; } extend M { optional int32 x = 100; }",
        proto2=True,
    )
    assert decoded(kind, b"\x08\x01\xa0\x06\x02\x7a\x01x") == {"a": 1}


TREE = "message M { M child = 1; repeated M children = 2; map<string, M> named = 3; google.protobuf.Struct s = 4; }"


def nested(levels: int, field: str) -> bytes:
    value = b""
    tag = {"child": b"\x0a", "children": b"\x12"}[field]
    for _ in range(levels - 1):
        value = tag + _varint(len(value)) + value
    return value


def _varint(number: int) -> bytes:
    encoded = b""
    while number > 127:
        encoded += bytes([number & 127 | 128])
        number >>= 7
    return encoded + bytes([number])


def test_messages_may_nest_to_the_limit_of_objects_and_lists() -> None:
    kind = message_class(TREE)
    decoded(kind, nested(64, "children"))
    assert rejection(kind, nested(65, "children")).detail == "Objects and lists nest deeper than 128 levels."


def test_fields_that_are_not_read_have_the_same_limit() -> None:
    kind = message_class(TREE)
    struct = struct_type_of(FieldsUsed(fields={"other": FieldsUsed(whole=True)}))
    assert struct is not None
    decode = decoder(kind.DESCRIPTOR, wanted_event(struct.made))
    assert decode(nested(64, "children")) is not None
    with pytest.raises(Rejected, match="TOO_DEEP"):
        decode(nested(65, "children"))


def test_messages_nest_at_most_as_deep_as_every_parser_allows() -> None:
    kind = message_class("message M { M child = 1; }")
    decoded(kind, nested(101, "child"))
    for levels in (102, 50_000):
        assert rejection(kind, nested(levels, "child")).reason == "TOO_DEEP"


def test_any_in_any_nests_to_the_limit() -> None:
    kind = message_class("message M { google.protobuf.Any a = 1; }")
    value, url = b"", "t/google.protobuf.Any"
    for levels in range(1, 400):
        value = kind(a={"type_url": url, "value": value}).a.SerializeToString()
        if levels == 125:
            decoded(kind, b"\x0a" + _varint(len(value)) + value)
    assert rejection(kind, b"\x0a" + _varint(len(value)) + value).reason == "TOO_DEEP"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\x0a\x05ab", "its bytes are not valid"),
        (b"\x0a\x02\xff\xfe", "it holds text that is not UTF-8"),
        (b"\xff" * 11, "its bytes are not valid"),
        (b"\x00", "its bytes are not valid"),
    ],
)
@pytest.mark.parametrize("proto2", [False, True])
def test_bytes_that_are_no_message_are_rejected(value: bytes, why: str, *, proto2: bool) -> None:
    text = "message M { optional string id = 1; }"
    refused = rejection(message_class(text, proto2=proto2), value)
    assert (refused.reason, refused.detail) == ("INVALID_PROTOBUF", f"The value is no p.M: {why}.")


def test_keys_of_maps_that_are_not_utf8_are_rejected() -> None:
    kind = message_class("message M { map<string, int32> f = 1; }", proto2=True)
    assert (
        rejection(kind, b"\x0a\x03\x0a\x01\xff").detail
        == "The value is no p.M: it holds text that is not UTF-8."
    )


def test_a_map_with_many_keys_is_decoded_only_where_it_is_read() -> None:
    kind = message_class("message M { map<int32, int32> map = 1; string id = 2; }")
    entries = b"".join(b"\x0a" + _varint(len(e)) + e for e in (b"\x08" + _varint(n) for n in range(200_000)))
    assert len(decoded(kind, entries)["map"]) == 200_000


@pytest.mark.slow
def test_short_messages_of_many_fields_are_not_made_without_end() -> None:
    fields = " ".join(f"string f{n} = {n};" for n in range(2, 102))
    kind = message_class(f"message M {{ repeated M list = 1; {fields} google.protobuf.Any any = 200; }}")
    rejected = rejection(kind, b"\x0a\x00" * 20_000)
    assert rejected.detail == "The messages in it have more than 1,000,000 fields that are not set."
    inner = kind(any={"type_url": "t/p.M", "value": b"\x0a\x00" * 20_000})
    assert rejection(kind, inner.SerializeToString()).detail == rejected.detail
    assert len(decoded(kind, b"\x0a\x00" * 9_000)["list"]) == 9_000
