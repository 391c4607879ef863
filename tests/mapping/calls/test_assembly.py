"""Generated builders equal the plain assembly of their specs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

import worker
from tests.support.built_calls import built, outcome, specs_and_values
from tests.support.plain_assembly import plainly_assembled
from worker import Call
from worker.mapping.calls.specs import CallSpec


@settings(max_examples=300)
@given(specs_and_values())
def test_a_generated_builder_equals_the_plain_assembly_of_its_spec(
    drawn: tuple[CallSpec, dict[str, Any]],
) -> None:
    spec, values = drawn
    before = repr(values)

    def by_builder() -> tuple[dict[str, Any], str | None]:
        call = built(spec, values)
        return call.body, call.event_id

    assert outcome(by_builder) == outcome(lambda: plainly_assembled(spec, values))
    assert repr(values) == before


def test_a_call_is_a_value_like_any_other() -> None:
    call = worker.track("E", user_id="u", message_id="m")
    assert (
        repr(call) == "Call(name='track', body={'type': 'track', 'userId': 'u', 'event': 'E'}, event_id='m')"
    )
    assert call == Call("track", call.body, "m") == copy.deepcopy(call) == pickle.loads(pickle.dumps(call))
    assert call != Call("track", call.body, "n")
    assert call != "track"
    with pytest.raises(TypeError, match="unhashable"):
        hash(call)


def test_a_builders_call_has_the_order_of_its_spec() -> None:
    given_: dict[str, Any] = {
        "timestamp": 1_700_000_000,
        "context": {"ip": "1"},
        "token": "t",
        "user_id": "u",
        "properties": {"a": 1},
    }
    body = worker.create_or_update_device(**given_).body
    assert orjson.dumps(body) == (
        b'{"type":"track","event":"Device Created or Updated","userId":"u","properties":{"a":1,"device":{"token":"t"}},'
        b'"context":{"ip":"1","device":{"token":"t"}},"timestamp":"2023-11-14T22:13:20.000Z"}'
    )
