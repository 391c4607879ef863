"""The function for usual events, and the way of all others: the same calls, byte for byte."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.mapping_files import as_yaml
from tests.support.mapping_reference import Reference
from tests.support.records import record, run
from tests.support.values import texts
from worker.core.message_id import MessageIds
from worker.core.records import Converter
from worker.documents.document import parse
from worker.mapping.compiler.decoder import EXACT
from worker.mapping.compiler.loop import CompiledMapping, compile_mapping
from worker.mapping.compiler.others import MANY, RUNS, Others
from worker.mapping.compiler.packed import encode
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping
from worker.mapping.files.rules import MappingFile

IDS = MessageIds("cluster")

_BOUNDS = [
    2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30,
    1e16, -1e16, 9999999999999998.0, -9999999999999998.0, 1e22, 1e-7, 1e-5, 5e-324, 1.7e308, -0.0, 0.1,
]  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(_BOUNDS)
    | texts
    | st.text(st.characters(codec="utf-8"), max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def decoded_exactly(value: bytes) -> tuple[bool, Any]:
    try:
        return True, msgspec.json.decode(value, type=EXACT)
    except msgspec.ValidationError:
        return False, None


@settings(max_examples=300)
@given(values)
def test_both_encoders_write_the_same_for_all_exact_values(value: Any) -> None:
    is_exact, found = decoded_exactly(json.dumps(value).encode())
    if is_exact:
        assert encode(found) == orjson.dumps(found)


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (2**63 - 1, True),
        (2**63, False),
        (-(2**63), True),
        (-(2**63) - 1, False),
        (9999999999999998.0, True),
        (1e16, False),
        (-1e16, False),
        ({"a": [1, {"b": 1}]}, False),
        ({"a": [1, "x", None, True, 1.5]}, True),
        ({"a": [1e17]}, False),
    ],
)
def test_exact_are_numbers_that_both_write_alike_and_two_levels(value: Any, exact: bool) -> None:  # noqa: FBT001
    assert decoded_exactly(json.dumps(value).encode())[0] is exact


def read(data: Any) -> MappingFile:
    file = read_mapping(parse(as_yaml(data), "usual.yaml"), [])
    assert file is not None
    return file


ODD_NAMES = {"class": "id", "a.b é": "total", 'q"': "name", "\\": "name", "self": "id", "_0": "at", "": "id"}
"""Keys of a call: Python's keywords, and characters that JSON escapes."""

_TRACK = {
    "call": "track",
    "event": "Order Completed",
    "userId": "customer.id",
    "timestamp": "at",
    "properties": {
        "id": "order.id",
        "total": "order.total",
        "first": "order.lines[0].sku",
        "name": "lower(customer.name)",
        "known": True,
        "inner": {"shop": "shop", "also": ["shop", "order.id"]},
        "lines": "order.lines[].{sku: sku, quantity: qty, shop: {name: shop}}",
        "cheap": "order.lines[?qty > `1`].{sku: sku, class: qty}",
        "choice": "if(order.total, {a: shop}, {b: shop})",
        "tags": "tags",
    },
}
MAPPINGS: list[dict[str, Any]] = [
    {"rules": [{"when": "type == 'a'", **_TRACK}]},
    {"rules": [{"when": "type == 'a'", "nulls": "send", **_TRACK}]},
    {"rules": [{**_TRACK, "properties": ODD_NAMES | {"lines": 'order.lines[].{"q\\"": sku, "é": qty}'}}]},
    {
        "rules": [
            {
                "when": "type == 'a'",
                "calls": [
                    {
                        "call": "identify",
                        "userId": "customer.id",
                        "traits": {"email": "customer.email", "unsubscribed": "customer.off", "n": "customer.name"},
                    },
                    {k: v for k, v in _TRACK.items() if k != "timestamp"},
                ],
            },
            {"call": "track", "event_from": "type", "userId": "customer.id", "messageId": "order.id"},
        ]
    },
    {
        "rules": [
            {"call": "track", "event": "Line", "userId": "customer.id", "for_each": "order.lines",
             "properties": {"sku": "$item.sku", "index": "$index", "of": "order.id"}},
        ]
    },
    {"let": {"lines": "order.lines[].{sku: sku, n: qty}"},
     "rules": [{"call": "track", "event": "Let", "userId": "customer.id",
                "properties": {"lines": "$lines", "n": "length($lines)", "text": "to_string($lines)"}}]},
    {"rules": [{"call": "track", "event": "Not packed", "userId": "customer.id",
                "properties": {"sum": "add(order.total, `1`)", "lines": "order.lines[].{sku: sku}"}}]},
]  # fmt: skip


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda n: values if n == 5 else usual)


_ids = st.sampled_from(["u-1", "cust-17", 42, "null", "", " x"])
_drawn = {
    "id": mostly(_ids),
    "total": mostly(st.floats(0, 1000) | st.sampled_from(_BOUNDS)),
    "sku": mostly(texts),
    "qty": mostly(st.integers(0, 3)),
    "shop": mostly(texts),
    "name": mostly(texts),
    "email": mostly(st.just("a@example.com")),
    "off": mostly(st.booleans()),
}


def objects(*names: str, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return mostly(st.fixed_dictionaries({}, optional={name: _drawn[name] for name in names} | more))


events = st.fixed_dictionaries(
    {
        "type": mostly(st.sampled_from(["a", "b"])),
        "customer": mostly(
            st.fixed_dictionaries({name: _drawn[name] for name in ("id", "name", "email", "off")})
        )
        | objects("id", "name"),
    },
    optional={
        "order": objects("id", "total", lines=mostly(st.lists(objects("sku", "qty", "shop"), max_size=3))),
        "at": mostly(st.just("2026-11-21T10:00:00Z")),
        "tags": values,
        "shop": _drawn["shop"],
        "name": _drawn["name"],
        "id": _drawn["id"],
        "skipped": values,
    },
)


@cache
def compiled(number: int) -> tuple[Converter, Reference]:
    file = read({"topics": ["orders"], **MAPPINGS[number]})
    return compile_mapping(file, Target("orders", IDS), {}), Reference(file, IDS)


@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("number", range(len(MAPPINGS)))
@given(drawn=st.lists(events, min_size=1, max_size=4))
def test_usual_and_other_events_become_what_the_plain_interpreter_makes_of_them(
    number: int, drawn: list[Any]
) -> None:
    convert, reference = compiled(number)
    reference.check(convert, [record(json.dumps(event).encode()) for event in drawn])


def source_of(data: dict[str, Any]) -> str:
    return CompiledMapping(read(data), Target("orders", IDS).options, {}).source()


@pytest.mark.parametrize(
    ("data", "packed"), [*((data, True) for data in MAPPINGS[:-1]), (MAPPINGS[-1], False)]
)
def test_calls_of_exact_values_are_packed(data: dict[str, Any], packed: bool) -> None:  # noqa: FBT001
    source = source_of({"topics": ["orders"], **data})
    usual, others = source.split("\n\n\n")
    assert ("call_type_" in usual) is packed
    assert "dumps_" in others


@pytest.mark.parametrize(
    "data",
    [
        {"traits": "customer", "call": "identify"},
        {"call": "page", "name": "shop"},
        {"call": "track", "event": "A", "context": {"ip": "ip"}},
        {"call": "track", "event": "A", "properties": {"a": "lookup('codes', shop)"}},
        {"call": "track", "event": "A", "properties": {"a": "to_number(shop)"}},
        {"call": "track", "event": "A", "properties": {"a": "_kafka.headers.h"}},
        {"call": "track", "event": "A", "properties": {"a": "`1e22`"}},
        {"call": "track", "event": "A", "properties": {"a": '`"\\ud83d"`'}},
        {"call": "track", "event": "A", "properties": {"a": 'concat(shop, `"\\ud83d"`)'}},
        {"call": "delete_device", "token": "shop"},
        {"call": "group", "groupId": "shop", "traits": {"object_type_id": "shop"}},
    ],
)
def test_no_call_is_packed_that_may_hold_other_values_or_that_a_check_reads(data: dict[str, Any]) -> None:
    data = {"topics": ["orders"], "tables": {"codes": {"a": 1}}, "rules": [{"userId": "customer.id", **data}]}
    source = source_of(data)
    assert "call_type_" not in source


def test_a_call_that_is_not_usual_is_still_refused_for_what_no_decoder_can_hold() -> None:
    file = read({"topics": ["orders"], **MAPPINGS[0]})
    event = b'{"type":"a","customer":{"id":"u"},"order":{"total":%d}}'
    calls, rejected, _ = run(compile_mapping(file, Target("orders", IDS), {}), [record(event % 2**64)])
    assert not calls
    assert rejected[0][1].reason == "INEXACT_NUMBER"
    assert re.search(r"properties holds an integer outside 64 bits", rejected[0][1].detail)


def test_where_other_events_prevail_whole_runs_are_converted_as_such() -> None:
    built: list[int] = []

    def build() -> Converter:
        built.append(1)
        return lambda records, _calls, _rejected: len(records)

    others, of = Others(build), record({})
    for _ in range(MANY - 1):
        assert others.convert_one(of, [], []) == 1
    assert not others.prevail()  # too few, and the count begins anew
    for _ in range(MANY):
        others.convert_one(of, [], [])
    assert [others.prevail() for _ in range(RUNS + 1)] == [True] * RUNS + [False]
    assert others.convert([of, of], [], []) == 2
    assert built == [1]


def test_a_run_is_converted_in_order_whichever_function_converts_it() -> None:
    file = read({"topics": ["orders"], **MAPPINGS[0]})
    convert = compile_mapping(file, Target("orders", IDS), {})
    events_ = [
        {"type": "a", "customer": {"id": f"u{n}"}, "tags": [[[n]]] if n % 2 else n} for n in range(2 * MANY)
    ]
    for _ in range(3):
        calls, _, _ = run(convert, [record(event) for event in events_])
        assert [orjson.loads(body[:-1])["userId"] for _, body, *_ in calls] == [
            f"u{n}" for n in range(2 * MANY)
        ]
