"""Generated assembly equals plain assembly, and the short check of untouched calls the full check."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import worker
from tests.support.plain_assembly import plainly_assembled
from tests.support.values import json_objects, texts
from worker import Call
from worker.core.reasons import Rejected
from worker.customerio.reference import DESTRUCTIVE_CALLS
from worker.mapping.calls.assembly import checked, checked_call
from worker.mapping.calls.specs import CALLS, CallSpec, Field, Kind
from worker.mapping.calls.validation import REJECT_IDS


class Text(str):
    __slots__ = ()


NEARLY_TEXT = st.sampled_from(
    ["", " ", "\t", "\x7f", "\u3000", "\u3000u", " u", "u ", "é", "\udc80", "~", "!", "5", "Null", " null "]
) | st.sampled_from([Text("u"), Text(" "), b"u", 5, 0, -1, 5.0, 5.5, 2**53, 2.0**53, 2**64, True, [], {}])  # fmt: skip
OWN_WORDS: dict[Kind, list[Any]] = {
    Kind.EVENT: ["Signed Up", "User Deleted", " user  deleted", "Null"],
    Kind.TIME: [
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.123Z",
        "2026-11-21T11:00:00+01:00",
        "2026-02-30T10:00:00Z",
        Text("2026-11-21T10:00:00Z"),
        b"2026-11-21T10:00:00Z",
        1_795_255_200,
        1_795_255_200_000,
        10**17,
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1),  # noqa: DTZ001 - tested
    ],
    Kind.OBJECT: [{}, {"url": "u"}, {"url": 5}, {"url": " "}, {"device": {"type": "web"}}, {"device": 5}, {"ip": 5}],
    Kind.OBJECT_TYPE: ["1", 1, "01", 0],
    Kind.INTEGER: [1, True, "1"],
}  # fmt: skip


def values_for(field: Field) -> st.SearchStrategy[Any]:
    """Right and wrong ones of every sort, the likeliest more often."""
    likely: st.SearchStrategy[Any] = texts
    if field.kind in OWN_WORDS or field.choices:
        likely = st.sampled_from([*OWN_WORDS.get(field.kind, []), *field.choices])
    if field.kind is Kind.OBJECT:
        likely |= json_objects
    elif field.name == "integrations":
        likely |= st.just({"All": False})
    return st.none() | likely | likely | likely | NEARLY_TEXT


@st.composite
def specs_and_values(draw: st.DrawFn) -> tuple[CallSpec, dict[str, Any]]:
    spec = draw(st.sampled_from(list(CALLS.values())))
    values = {}
    for name, field in spec.fields.items():
        if field.required or name in {*spec.one_of, "name"} or draw(st.booleans()):
            values[name] = draw(values_for(field))
    return spec, values


def outcome(make: Callable[[], Any]) -> Any:
    """What comes of it, with its order."""
    try:
        made = make()
    except Rejected as rejected:
        return rejected.stage, rejected.reason, rejected.detail
    return repr(made)


def built(spec: CallSpec, values: dict[str, Any]) -> Call:
    """The call that the spec's builder makes."""
    needed = {field.parameter: values.get(name) for name, field in spec.fields.items() if field.required}
    given_ = {spec.fields[name].parameter: value for name, value in values.items()}
    call: Call = getattr(worker, spec.name)(**needed | given_)
    return call


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


@settings(max_examples=300)
@given(
    specs_and_values(),
    st.sampled_from([frozenset(), DESTRUCTIVE_CALLS, frozenset({"delete_user"})]),
    st.sampled_from([REJECT_IDS, frozenset(), frozenset({"u", "5"})]),
)
def test_the_short_check_of_an_untouched_call_equals_the_full_check(
    drawn: tuple[CallSpec, dict[str, Any]], allow: frozenset[str], reject_ids: frozenset[str]
) -> None:
    try:
        call = built(*drawn)
    except Rejected:
        return
    untouched = outcome(lambda: checked_call(call, allow=allow, reject_ids=reject_ids))
    assert call.untouched is not None
    assert untouched == outcome(lambda: checked(call.body, allow=allow, reject_ids=reject_ids))


@pytest.mark.parametrize(
    "call",
    [
        worker.track("E", user_id=" Null"),
        worker.track("E", anonymous_id="null"),
        worker.track("E", user_id="u", group_id="null"),
        worker.alias(user_id="u", previous_id="null"),
        worker.report_delivery_event(delivery_id="null", metric="opened"),
    ],
    ids=repr,
)
def test_rejected_ids_are_found_in_an_untouched_call(call: Call) -> None:
    with pytest.raises(Rejected, match="FORBIDDEN_ID"):
        checked_call(call, allow={"alias"})
    assert checked_call(call, allow={"alias"}, reject_ids=()) == call.body


@pytest.mark.parametrize(
    "call",
    [
        worker.create_or_update_device(user_id="u", token="t", properties={"device": {"type": "web"}}),
        worker.delete_device(user_id="u", token="t", context={"device": {"type": "web"}}),
        worker.report_content_event(
            user_id="u", action_type="clicked_content", properties={"contentId": "x"}
        ),
    ],
    ids=repr,
)
def test_semantic_calls_are_always_checked(call: Call) -> None:
    with pytest.raises(Rejected) as caught:
        checked_call(call, allow=DESTRUCTIVE_CALLS)
    assert caught.value.reason in {"INVALID_VALUE", "INVALID_TYPE"}


def change(call: Call, **fields: Any) -> None:
    call.body.update(fields)


def change_a_copy(call: Call) -> None:
    copy.copy(call).body["userId"] = 5


def replace_the_body(call: Call) -> None:
    call.body = {"type": "track", "userId": 5, "event": "E"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda call: change(call, userId=5), "INVALID_ID"),
        (lambda call: change(call, userId=" "), "MISSING_ID"),
        (lambda call: change(call, event="User Deleted"), "NOT_ALLOWED"),
        (lambda call: change(call, event="user deleted"), "RESERVED_NAME"),
        (lambda call: change(call, writeKey="w"), "UNKNOWN_FIELD"),
        (lambda call: change(call, properties=[]), "INVALID_TYPE"),
        (lambda call: change(call, timestamp="now"), "INVALID_TIMESTAMP"),
        (change_a_copy, "INVALID_ID"),
        (replace_the_body, "INVALID_ID"),
    ],
)
def test_a_call_whose_body_a_mapper_has_changed_is_looked_at_again(
    spoil: Callable[[Call], None], reason: str
) -> None:
    call = worker.track("E", user_id="u", properties={}, timestamp=1_700_000_000)
    assert checked_call(call)
    spoil(call)
    with pytest.raises(Rejected) as caught:
        checked_call(call)
    assert caught.value.reason == reason


def test_a_body_that_somebody_held_before_is_looked_at_again() -> None:
    call = worker.track("E", user_id="u")
    held = call.body
    assert checked_call(call)
    held["userId"] = 5
    with pytest.raises(Rejected, match="INVALID_ID"):
        checked_call(call)


def test_a_call_that_no_builder_made_is_looked_at() -> None:
    with pytest.raises(Rejected, match="INVALID_ID"):
        checked_call(Call("track", {"type": "track", "userId": 5, "event": "E"}))


def test_objects_that_were_given_to_a_builder_may_change_afterwards() -> None:
    properties: dict[str, Any] = {"url": "u"}
    context: dict[str, Any] = {}
    viewed = worker.page(user_id="u", properties=properties)
    tracked = worker.track("E", user_id="u", context=context)
    assert checked_call(viewed)
    assert checked_call(tracked)
    del properties["url"]
    context["ip"] = 5
    with pytest.raises(Rejected, match="MISSING_FIELD"):
        checked_call(viewed)
    with pytest.raises(Rejected, match="INVALID_TYPE"):
        checked_call(tracked)


def test_the_checked_body_is_a_copy() -> None:
    """A mapper may return one call several times: each gets an id of its own."""
    call = worker.track("E", user_id="u")
    for _ in range(2):
        made = checked_call(call)
        assert made == {"type": "track", "userId": "u", "event": "E"}
        made["messageId"] = "m"


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
