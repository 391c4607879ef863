"""Every format: values, exact integers, depth, limits and bad bytes, and that generated code decodes the same."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.formats.contract import EVENT, UNDER_TEST, FormatUnderTest
from worker.core.reasons import Rejected, Stage
from worker.formats.json_values import MAX_DEPTH
from worker.mapping.compiler.decoder import WHOLE as ALL
from worker.mapping.compiler.decoder import FieldsUsed, plain, struct_type_of
from worker.mapping.compiler.source import Code
from worker.mapping.trying.preview import PreviewRecord

each_format = pytest.mark.parametrize("of", UNDER_TEST, ids=lambda of: of.name)

USED = FieldsUsed(
    fields={
        "type": ALL,
        "largest": ALL,
        "customer": FieldsUsed(fields={"id": ALL}),
        "lines": FieldsUsed(items=FieldsUsed(fields={"qty": ALL})),
        "labels": FieldsUsed(fields={"color": ALL}),
        "absent": ALL,
    }
)
"""What a rule might read."""

FOUND = {
    "type": "order.completed",
    "largest": EVENT["largest"],
    "customer": {"id": "cust-1"},
    "lines": [{"qty": 1}, {"qty": 300}],
    "labels": {"color": "red"},
    "absent": None,
}

READ = ("type", "largest")

Decode = Callable[[bytes], Any]


def emitted(of: FormatUnderTest, used: FieldsUsed | None = None) -> Decode:
    """The generated function for whole events, or for the fields that a rule uses."""
    struct = None if used is None else struct_type_of(used)
    code = Code()
    code.line("value = record.value()")
    of.format.emit(code, "event", None if struct is None else struct.made)
    code.line("return event")
    decode = code.build("decoded", "record")
    return lambda value: plain(decode(PreviewRecord("orders", value)))


def ways(of: FormatUnderTest) -> dict[str, Decode]:
    return {"decode": of.format.decode, "emitted": emitted(of), "emitted for fields": emitted(of, USED)}


def refusal(decode: Decode, value: bytes) -> str:
    with pytest.raises(Rejected) as refused:
        decode(value)
    assert refused.value.stage is Stage.DECODE
    assert "cust-1" not in refused.value.detail
    return refused.value.reason


@each_format
def test_an_event_is_what_it_is_in_json(of: FormatUnderTest) -> None:
    value = of.encode(EVENT)
    assert of.format.decode(value) == EVENT
    assert of.format.decode_any(value) == EVENT
    assert emitted(of)(value) == EVENT
    assert msgspec.json.decode(msgspec.json.encode(of.format.decode(value))) == EVENT


@each_format
def test_generated_code_decodes_what_rules_use(of: FormatUnderTest) -> None:
    assert emitted(of, USED)(of.encode(EVENT)) == FOUND


@each_format
@pytest.mark.parametrize("number", [0, 1, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_whole_numbers_are_exact(of: FormatUnderTest, number: int) -> None:
    for name, decode in ways(of).items():
        found = decode(of.encode(EVENT | {"largest": number}))["largest"]
        assert (found, type(found)) == (number, int), name


@each_format
def test_every_value_that_is_cut_short_is_refused(of: FormatUnderTest) -> None:
    value = of.encode(EVENT)
    for name, decode in ways(of).items():
        for length in range(1, len(value)):
            assert refusal(decode, value[:length]) == of.reason, f"{name}: {length} of {len(value)} bytes"


@each_format
@pytest.mark.parametrize("more", [b"\x01", b"\x00", b"{}", b"\xff" * 20])
def test_a_value_with_more_bytes_is_refused(of: FormatUnderTest, more: bytes) -> None:
    for decode in ways(of).values():
        assert refusal(decode, of.encode(EVENT) + more) == of.reason


@each_format
def test_wrong_bytes_are_refused_or_read_alike(of: FormatUnderTest) -> None:
    value, rng = of.encode(EVENT), random.Random(7)
    decode, whole, fields = ways(of).values()
    for _ in range(3000):
        wrong = bytearray(value)
        for _ in range(rng.randrange(1, 4)):
            wrong[rng.randrange(len(wrong))] = rng.randrange(256)
        expected = outcome(decode, bytes(wrong))
        assert outcome(whole, bytes(wrong)) == expected
        found = outcome(fields, bytes(wrong))
        if not isinstance(expected, str):  # bytes that rules do not read may be read less strictly
            assert [found[name] for name in READ] == [expected.get(name) for name in READ]


def outcome(decode: Decode, value: bytes) -> Any:
    """What was decoded, or the reason of its rejection. Nothing else may be raised."""
    try:
        return decode(value)
    except Rejected as rejected:
        return rejected.reason


@each_format
def test_nesting_has_a_limit(of: FormatUnderTest) -> None:
    for name, decode in {"decode": of.format.decode, "emitted": emitted(of)}.items():
        assert decode(of.nested(MAX_DEPTH)), name
        assert refusal(decode, of.nested(MAX_DEPTH + 1)) == "TOO_DEEP"
        assert refusal(decode, of.nested(100_000)) == "TOO_DEEP"
    unread = emitted(of, FieldsUsed(fields={"other": ALL}))
    assert refusal(unread, of.nested(MAX_DEPTH + 1)) == "TOO_DEEP"


@each_format
def test_a_short_value_that_stands_for_much_is_refused_at_once(of: FormatUnderTest) -> None:
    for name, value in of.bombs.items():
        for decode in ({"decode": of.format.decode} | ways(of)).values():
            tracemalloc.start()
            assert refusal(decode, value) in {of.reason, "TOO_DEEP"}, name
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 50_000_000, name


@each_format
def test_a_map_with_many_keys_is_an_object(of: FormatUnderTest) -> None:
    labels = {f"k{n}": "v" for n in range(100_000)}
    assert of.format.decode(of.encode(EVENT | {"labels": labels}))["labels"] == labels
