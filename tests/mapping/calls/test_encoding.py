from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import json_objects
from worker.core.reasons import Rejected
from worker.customerio.limits import MAX_CALL_BYTES
from worker.mapping.calls.encoding import batch_context, encode


def endless() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["itself"] = value
    return value


@given(json_objects)
def test_json_values_are_encoded_exactly(properties: dict[str, Any]) -> None:
    assert orjson.loads(encode({"properties": properties})) == {"properties": properties}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "INEXACT_NUMBER"),
        ([{"deep": float("-inf")}], "INEXACT_NUMBER"),
        ((None, float("inf")), "INEXACT_NUMBER"),
        (2**64, "INEXACT_NUMBER"),
        (-(2**63) - 1, "INEXACT_NUMBER"),
        ("\ud800", "INVALID_TEXT"),
        ({"\udfff": 1}, "INVALID_TEXT"),
        ({1: "one"}, "UNENCODABLE"),
        ({1, 2}, "UNENCODABLE"),
        (b"bytes", "UNENCODABLE"),
        (datetime(2026, 11, 21, tzinfo=UTC), "UNENCODABLE"),
        (NotImplemented, "UNENCODABLE"),
        (endless(), "TOO_DEEP"),
    ],
    ids=repr,
)
def test_values_that_json_cannot_hold_are_rejected_with_the_field(value: object, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        encode({"type": "track", "properties": {"of": value}})
    assert caught.value.reason == reason
    assert reason == "INEXACT_NUMBER" or caught.value.detail.startswith("properties ")


@pytest.mark.parametrize("spare", [0, 1, -1])
def test_the_size_is_counted_in_bytes_exactly(spare: int) -> None:
    frame = len(encode({"name": ""}))
    call = {"name": "é" * 100 + "x" * (MAX_CALL_BYTES - frame - 200 - spare)}
    if spare >= 0:
        assert len(encode(call)) == MAX_CALL_BYTES - spare
        return
    with pytest.raises(Rejected, match=r"CALL_TOO_LARGE: The call is 32001 bytes long; 32000 are allowed\."):
        encode(call)


@given(json_objects, json_objects)
def test_a_batch_context_is_the_members_that_a_request_repeats(
    context: dict[str, Any], integrations: dict[str, Any]
) -> None:
    text = batch_context({"type": "track", "integrations": integrations, "context": context})
    members = orjson.loads(b"{%b}" % text)
    assert members == {
        key: value for key, value in (("context", context), ("integrations", integrations)) if value
    }


@given(st.permutations([("a", 1), ("b", {"y": 1, "x": 2}), ("c", None)]))
def test_equal_contexts_have_equal_batch_contexts(items: list[tuple[str, Any]]) -> None:
    assert batch_context({"context": dict(items)}) == b'"context":{"a":1,"b":{"x":2,"y":1},"c":null}'


def test_without_context_and_integrations_the_batch_context_is_empty() -> None:
    assert batch_context({"type": "track", "context": {}}) == b""


def test_integrations_alone_make_a_batch_context_too() -> None:
    assert batch_context({"type": "track", "integrations": {"All": False}}) == b'"integrations":{"All":false}'
