"""Invalid values are refused with the same reason, whichever fields a mapping uses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.support.records import converted, record
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected, Stage
from worker.core.records import Converter
from worker.documents.document import parse
from worker.formats.json_values import MAX_DEPTH, decode
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping

MAPPING = """
topics: [orders]
unmatched: dead_letter
rules:
  - when: type == 'order'
    call: track
    event: Order Completed
    userId: customer.id
    properties: {total: order.total, deep: used, lines: "order.lines[].{sku: sku}", mapped: "map(&sku, order.more)"}
"""
WHOLE = """
  - when: type == 'never'
    call: identify
    userId: id
    traits: "@"
"""
EVENT = (
    b'{"type":"order","customer":{"id":"c-1","name":"Zo\xc3\xab \\"Z\\" \\u00eb"},"used":[1,null,{"a":true}],'
    b'"order":{"total":9.5,"lines":[{"sku":"a","note":"\\n"},{"sku":"b"}],"more":[]},"unused":{"n":[-1,2.5e3,"x"]}}'
)


def converter(mapping: str) -> Converter:
    file = read_mapping(parse(mapping, "orders.yaml"), [])
    assert file is not None
    return compile_mapping(file, Target("orders", MessageIds("cluster")), {})


IN_PARTS = converter(MAPPING)
AS_A_WHOLE = converter(MAPPING + WHOLE)


def outcome(convert: Converter, value: bytes) -> Any:
    try:
        return converted(convert, record(value))
    except Rejected as rejected:
        return rejected.stage, rejected.reason, rejected.detail


FRAGMENTS = [
    b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xef\xbb\xbf", b"\\ud800", b"\\udc00", b"\\u12", b"\\x", b"\\", b'"', b"\n",
    b"\x00", b"\x1f", b"\x7f", b"NaN", b"Infinity", b"-", b"0", b"01", b"1.", b"nul", b"{", b"}", b"[", b"]", b",",
    b":", b" ",
    b"\x0b", b"9" * 25, b"-" + b"9" * 25, b'"":', b"[" * 130, b"[" * 130 + b"]" * 130, b'{"a":' * 130, b'{"a":' * 1100,
    b"\x00\x00\x00\x00\x07", b'"a":"\xff",', b'"unused":"\\ud800",', b'"customer":7,',
    b'"order":{"lines":[[{"sku":1}]]},',
]  # fmt: skip
fragments = st.sampled_from(FRAGMENTS) | st.binary(min_size=1, max_size=3)
mutations = st.lists(
    st.tuples(st.integers(0, len(EVENT)), st.integers(0, 3), fragments | st.just(b"")), min_size=1, max_size=3
)


def mutated(by: list[tuple[int, int, bytes]]) -> bytes:
    value = EVENT
    for at, removed, inserted in by:
        value = value[:at] + inserted + value[at + removed :]
    return value


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(mutations)
@example([(0, 0, b"\x00\x00\x00\x00\x07\x00\x00\x00\x00\x07")])
@example([(0, 1000, b"")])
def test_invalid_json_is_refused_whatever_fields_are_used(by: list[tuple[int, int, bytes]]) -> None:
    value = mutated(by)
    whole = outcome(AS_A_WHOLE, value)
    assume("out of range" not in str(whole))  # see the test of it
    assert outcome(IN_PARTS, value) == whole
    if whole[0] is Stage.DECODE:
        with pytest.raises(Rejected) as plainly:
            decode(value)
        assert (plainly.value.reason, plainly.value.detail) == whole[1:]


@pytest.mark.parametrize("where", [b'"unused":', b'"used":', b'"order":', b'"more":'])
@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_invalid_json_in_a_field_is_refused_whether_used_or_not(where: bytes, fragment: bytes) -> None:
    for value in (
        EVENT.replace(where, where + fragment),
        EVENT.replace(where, where + b'"' + fragment + b'",' + where),
    ):
        assert outcome(IN_PARTS, value) == outcome(AS_A_WHOLE, value)


@pytest.mark.parametrize("convert", [IN_PARTS, AS_A_WHOLE])
@pytest.mark.parametrize("where", [b'"unused":', b'"used":', b'"more":'])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 200, 2_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"":', b"}"), (b'[{"a":', b"}]")])
def test_an_event_that_nests_too_deep_is_refused_wherever_it_does(
    convert: Any, where: bytes, levels: int, brackets: tuple[bytes, bytes]
) -> None:
    above = 2 if where == b'"more":' else 1
    times = -(-(levels - above) // (brackets[0].count(b"[") + brackets[0].count(b"{")))
    deep = brackets[0] * times + b"1" + brackets[1] * times
    value = EVENT.replace(where, where + deep + b"," + where)
    assert outcome(convert, value)[:2] == (Stage.DECODE, "TOO_DEEP")


steps = st.lists(
    st.sampled_from([(b"[", b"]"), (b'{"":', b"}"), (b"[1,", b"]"), (b'{"a":', b"}")]), min_size=2, max_size=2
)


@settings(max_examples=200, deadline=None)
@given(
    steps,
    st.integers(0, MAX_DEPTH + 5),
    st.integers(MAX_DEPTH - 3, MAX_DEPTH + 3),
    st.sampled_from([b"{}", b"[]"]),
)
def test_128_levels_are_enough_and_129_too_many(
    of: list[tuple[bytes, bytes]], turn: int, levels: int, innermost: bytes
) -> None:
    wrapped = [of[level >= turn] for level in range(levels - 2)]
    inner = b"".join(opening for opening, _ in wrapped) + innermost
    inner += b"".join(closing for _, closing in reversed(wrapped))
    for convert in (IN_PARTS, AS_A_WHOLE):
        expected = "TOO_DEEP" if levels > MAX_DEPTH else "UNMATCHED"
        assert outcome(convert, b'{"":' + inner + b"}")[1] == expected


def test_a_number_that_no_float_holds_matters_only_where_it_is_read() -> None:
    with_one = EVENT.replace(b"2.5e3", b"2.5e400")
    assert outcome(IN_PARTS, with_one) == outcome(IN_PARTS, EVENT)
    assert outcome(AS_A_WHOLE, with_one)[1] == "INVALID_JSON"
    assert outcome(IN_PARTS, EVENT.replace(b"9.5", b"9.5e400"))[1] == "INVALID_JSON"
