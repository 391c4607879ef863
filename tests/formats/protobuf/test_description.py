"""What the checks of mapping files read of Protobuf schemas."""

from __future__ import annotations

import pytest

from tests.formats.protobuf.schemas_of_tests import schema
from worker.formats import description as form
from worker.formats.describing import UndescribedError
from worker.formats.describing import describe as describe_schema
from worker.formats.description import Description
from worker.formats.protobuf.description import describe
from worker.formats.schemas import Schema

TEXT = """message M {
    int64 number = 1; optional string text = 2; bytes data = 3; bool flag = 4; double d = 5; E enum = 6;
    repeated M list = 7; map<string, int32> map = 8; google.protobuf.Timestamp at = 9; google.protobuf.Struct s = 10;
    google.protobuf.Value v = 11; google.protobuf.ListValue l = 12; google.protobuf.Any any = 13;
    google.protobuf.Int64Value wrapped = 14; confluent.type.Decimal decimal = 15; google.protobuf.NullValue n = 16;
} enum E { ZERO = 0; ONE = 1; }"""


def found(name: str) -> Description:
    field = describe(schema(TEXT).named("M")).field(name)
    assert field is not None
    return field


def test_fields_have_the_types_that_rules_see() -> None:
    kinds = {name: found(name).kinds for name in describe(schema(TEXT).named("M")).names}
    assert kinds == {
        "number": {form.NUMBER},
        "text": {form.TEXT},
        "data": {form.TEXT},
        "flag": {form.BOOLEAN},
        "d": {form.NUMBER},
        "enum": {form.TEXT},
        "list": {form.LIST},
        "map": {form.OBJECT},
        "at": {form.TEXT},
        "s": {form.OBJECT},
        "v": set(form.KINDS),
        "l": {form.LIST},
        "any": {form.OBJECT},
        "wrapped": {form.NUMBER},
        "decimal": {form.TEXT},
        "n": set(),
    }


def test_what_may_be_absent_is_optional() -> None:
    assert found("text").optional
    assert found("at").optional
    assert not found("number").optional


def test_parts_are_described_too() -> None:
    assert found("enum").words == frozenset({"ZERO", "ONE"})
    items = found("list").items()
    assert items is not None
    assert items.field("number") is not None
    values = found("map").values()
    assert values is not None
    assert values.kinds == {form.NUMBER}


def test_without_a_message_each_that_the_file_declares_is_described() -> None:
    text = 'syntax = "proto3"; message A { int64 id = 1; } message B { string id = 1; bool only = 2; }'
    both = describe_schema(Schema("PROTOBUF", text))
    assert both.names == ["id", "only"]
    assert describe_schema(Schema("PROTOBUF", text), "A").names == ["id"]
    for wrong, message in (("nonsense", None), (text, "C")):
        with pytest.raises(UndescribedError):
            describe_schema(Schema("PROTOBUF", wrong), message)
