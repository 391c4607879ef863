from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import json_objects, json_values
from worker.core.reasons import Rejected, Stage
from worker.formats.json_values import MAX_DEPTH, decode
from worker.mapping.calls.encoding import encode


def reason_of(value: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        decode(value)
    assert caught.value.stage is Stage.DECODE
    return caught.value.reason


@given(json_objects)
def test_every_json_object_comes_back_as_it_was(event: dict[str, Any]) -> None:
    assert decode(orjson.dumps(event)) == event


@given(json_objects, st.binary(min_size=4, max_size=4))
def test_a_schema_registry_prefix_is_skipped(event: dict[str, Any], schema: bytes) -> None:
    assert decode(b"\x00" + schema + orjson.dumps(event)) == event


@given(json_values.filter(lambda value: not isinstance(value, dict)))
def test_json_that_is_no_object_is_rejected(value: Any) -> None:
    assert reason_of(orjson.dumps(value)) == "NOT_AN_OBJECT"


@pytest.mark.parametrize(
    "value",
    [
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\udc00\\ud800"}',
        b'{"a": "\xff"}',
        b'{"\xed\xa0\x80": 1}',
        b'{"a": 01}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b'{"a": "\n"}',
        b'{"a"',
        b"\xef\xbb\xbf{}",
        b"\x00\x00\x00\x00\x01{",
        b"nothing",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_rejected(value: bytes) -> None:
    assert reason_of(value) == "INVALID_JSON"


@pytest.mark.parametrize("value", [b"", b"  \n", b"\x00\x00\x00\x00\x01", b"\x00"])
def test_a_value_without_content_is_rejected(value: bytes) -> None:
    assert reason_of(value) == "EMPTY_VALUE"


@given(st.binary(max_size=40))
def test_any_bytes_are_an_event_or_are_rejected(value: bytes) -> None:
    with suppress(Rejected):
        assert isinstance(decode(value), dict)


def test_the_detail_says_where_and_quotes_nothing() -> None:
    with pytest.raises(Rejected) as caught:
        decode(b'{"email": "cool.person@example.com" x}')
    assert caught.value.detail == "The value stops being JSON at byte 36."
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


HALF_A_PAIR = r"The value holds half of a surrogate pair: an escape such as \ud83d without its other half."
ENDS = "The value ends before its JSON does."
BYTE_ORDER_MARK = "The value begins with a byte order mark; JSON is UTF-8 without one."


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (rb'{"a":"\ud83d"}', HALF_A_PAIR),
        (rb'{"a":"\uD83D b"}', HALF_A_PAIR),
        (rb'{"\ud83d":1}', HALF_A_PAIR),
        (rb'{"a":"\ud83d\u0041"}', HALF_A_PAIR),
        (rb'{"a":"\ud83d\ud83d\ude00"}', HALF_A_PAIR),
        (rb'{"a":"\ud83d\n"}', HALF_A_PAIR),
        (rb'{"a":"\ud83d\\\ude00"}', HALF_A_PAIR),
        (rb'{"a":"\ud83d\\ude00"}', HALF_A_PAIR),
        (rb'{"a":"\ude00"}', HALF_A_PAIR),
        (rb'{"a":"\\\ud83d"}', HALF_A_PAIR),
        (rb'\0\0\0\0\1{"a":"\ud83d"}'.replace(rb"\0", b"\0").replace(rb"\1", b"\1"), HALF_A_PAIR),
        (rb'{"a":"\ud83d\ude00', ENDS),
        (rb'{"a":"\\ud83d', ENDS),
        (rb'{"a":"\ud83', ENDS),
        (rb'{"a":"\ud83d', ENDS),
        (rb'{"a":"\ud83d\u', ENDS),
        (rb'{"a":"\ud83d\ude0', ENDS),
        (b'{"a":1', ENDS),
        (b'{"a":"\xff"}', "The value holds text that is not UTF-8."),
        (b'{"a":1e400}', "The value holds a number that is out of range."),
        (b"\xef\xbb\xbf{}", BYTE_ORDER_MARK),
        ('{"a":1}'.encode("utf-16"), BYTE_ORDER_MARK),
        (b'{"a":x}', "The value stops being JSON at byte 5."),
        (b'\0\0\0\0\1{"a":x}', "The value stops being JSON at byte 10."),
    ],
)
def test_the_detail_says_what_is_wrong(value: bytes, detail: str) -> None:
    with pytest.raises(Rejected) as caught:
        decode(value)
    assert (caught.value.reason, caught.value.detail) == ("INVALID_JSON", detail)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 200, 5_000, 200_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_nesting_too_deep_is_rejected(levels: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    inner = opening * (levels - 1) + "1" + closing * (levels - 1)
    assert reason_of(f'{{"a":{inner}}}'.encode()) == "TOO_DEEP"


def test_nesting_just_deep_enough_is_decoded() -> None:
    assert decode(f'{{"a":{"[" * (MAX_DEPTH - 1)}{"]" * (MAX_DEPTH - 1)}}}'.encode())


def test_many_brackets_side_by_side_or_in_text_are_not_deep() -> None:
    event = {"lines": [{"sku": str(n)} for n in range(500)], "note": '[[[["{{{\\' * 100}
    assert decode(json.dumps(event).encode()) == event


@given(
    st.lists(st.text(alphabet='{}[]"\\ nu', max_size=8), max_size=20),
    st.lists(st.booleans(), min_size=MAX_DEPTH - 3, max_size=MAX_DEPTH + 2),
    st.lists(st.sampled_from(['},{"a":"', "}, {", '{"a', "}"]), max_size=200).map("".join),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_depth_is_counted_exactly_whatever_stands_beside_it_and_in_text(
    texts: list[str], levels: list[bool], like_objects: str, separators: tuple[str, str]
) -> None:
    nested: Any = [*texts, like_objects]
    for is_list in levels:
        nested = (
            [{}, texts, {}, {"a": 1}, nested] if is_list else {text: {} for text in texts} | {"]": nested}
        )
    event = {"a": nested, "wide": [{}, []] * 200, "lines": [{"a": like_objects}, {"b": {}}] * 99}
    value = json.dumps(event, separators=separators).encode()
    depth = 2 + len(levels)  # the event itself, and the innermost list
    if depth > MAX_DEPTH:
        assert reason_of(value) == "TOO_DEEP"
    else:
        assert decode(value)["a"] == nested


def test_of_a_key_that_comes_twice_the_last_wins() -> None:
    assert decode(b'{"a": 1, "a": 2}') == {"a": 2}


@given(st.integers(2**64, 10**40) | st.integers(-(10**40), -(2**63) - 1), json_objects)
def test_an_integer_outside_64_bits_rejects_only_the_call_that_holds_it(
    number: int, other: dict[str, Any]
) -> None:
    event = decode(b'{"wide": [%d], "other": %b}' % (number, orjson.dumps(other)))
    assert orjson.loads(encode({"properties": event["other"]})) == {"properties": other}
    with pytest.raises(Rejected, match="INEXACT_NUMBER: properties holds an integer outside 64 bits"):
        encode({"properties": {"deep": event["wide"]}})
