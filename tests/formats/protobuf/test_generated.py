"""Generated decoders, held to `values.decode` over generated schemas, messages and bytes."""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.protobuf.generated_schemas import fill, schemas, used
from worker.core.reasons import Rejected
from worker.formats.protobuf import values
from worker.formats.protobuf.generated import decoder
from worker.formats.protobuf.schemas import ProtobufSchema
from worker.formats.wanted import WHOLE, wanted_event
from worker.mapping.compiler.decoder import FieldsUsed, struct_type_of

_SLOW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def outcome(decode: Any, value: bytes) -> str:
    """What a decoder returns, with the order of fields; or why it rejects."""
    try:
        return repr(decode(value))
    except Rejected as rejected:
        return f"{rejected.reason}: {rejected.detail}"


def drawn(data: st.DataObject, schema: bytes) -> tuple[type[Message], bytes]:
    kind = GetMessageClass(ProtobufSchema(schema).named("p.M0"))
    message = kind()
    fill(data.draw, message)
    return kind, kind.SerializePartialToString(message)


@_SLOW
@given(schemas(), st.data())
def test_a_whole_message_is_the_same_from_generated_code(schema: bytes, data: st.DataObject) -> None:
    kind, value = drawn(data, schema)
    decode = decoder(kind.DESCRIPTOR, WHOLE)
    assert outcome(decode, value) == outcome(lambda each: values.decode(kind, each), value)


@_SLOW
@given(schemas(), used(), st.data())
def test_the_fields_used_are_the_same_from_generated_code(
    schema: bytes, uses: FieldsUsed, data: st.DataObject
) -> None:
    kind, value = drawn(data, schema)
    struct = struct_type_of(uses)
    assert struct is not None
    decode = decoder(kind.DESCRIPTOR, wanted_event(struct.made))
    try:
        expected = repr(msgspec.convert(values.decode(kind, value), struct.made))
    except Rejected:
        outcome(decode, value)  # it may not read what is wrong, but raises nothing else
    else:
        assert outcome(decode, value) == expected


@_SLOW
@given(schemas(), st.binary(max_size=40), st.data())
def test_bad_bytes_are_rejected_alike_and_raise_nothing_else(
    schema: bytes, garbage: bytes, data: st.DataObject
) -> None:
    kind, value = drawn(data, schema)
    cut = data.draw(st.integers(0, len(value)))
    decode = decoder(kind.DESCRIPTOR, WHOLE)
    for bad in (value[:cut] + garbage, value[:cut], garbage):
        assert outcome(decode, bad) == outcome(lambda each: values.decode(kind, each), bad)
