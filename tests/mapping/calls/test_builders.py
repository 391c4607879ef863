from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import worker
from tests.support.values import ids, json_objects
from worker import Call
from worker.core.reasons import Rejected
from worker.customerio.reference import DESTRUCTIVE_CALLS, SEMANTIC_EVENTS
from worker.customerio.semantic import call_name
from worker.mapping.calls.assembly import checked
from worker.mapping.calls.builders import Common
from worker.mapping.calls.encoding import encode
from worker.mapping.calls.specs import CALLS, Field, Kind

pytestmark = pytest.mark.no_cover  # runs through the same lines a hundred times

TIMES = st.sampled_from(
    [1_763_719_200, 1_763_719_200_000, "2025-11-21T11:00:00+01:00", datetime(2025, 11, 21, 10, tzinfo=UTC)]
)


def builder(name: str) -> Callable[..., Call]:
    return getattr(worker, name)  # type: ignore[no-any-return]


def value_for(field: Field) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one answer for each kind
    match field.kind:
        case Kind.IDENTITY | Kind.EVENT_ID:
            return ids.filter(str.strip) | st.integers(0, 10**18)
        case Kind.TEXT:
            return ids.map(lambda text: f"x{text}")
        case Kind.EVENT:
            return st.sampled_from(["Signed Up", " Order Shipped "])
        case Kind.CHOICE:
            return st.sampled_from(field.choices)
        case Kind.OBJECT_TYPE:
            return st.integers(1, 99) | st.integers(1, 99).map(str)
        case Kind.INTEGER:
            return st.integers(0, 2**40)
        case Kind.TIME:
            return TIMES
        case Kind.OBJECT:
            if field.name == "integrations":
                return st.dictionaries(st.sampled_from(["All", "Mixpanel"]), st.booleans())
            return (
                json_objects
                if field.name != "context"
                else st.just({"ip": "1.1.1.1", "device": {"name": "d"}})
            )


@st.composite
def arguments(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Whatever a builder may be given: all that it needs, and some of the rest."""
    spec = CALLS[name]
    given_ = {field.parameter: draw(value_for(field)) for field in spec.fields.values() if field.required}
    if spec.one_of:
        first = spec.fields[draw(st.sampled_from(spec.one_of))]
        given_[first.parameter] = draw(value_for(first))
    if spec.name_or_url:
        given_["name"] = "Home"
    for field in spec.fields.values():
        if field.parameter not in given_ and draw(st.booleans()):
            given_[field.parameter] = draw(st.none() | value_for(field))
    return given_


def at(body: dict[str, Any], place: tuple[str, ...]) -> Any:
    for key in place:
        body = body[key]
    return body


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=50)
@given(data=st.data())
def test_a_builders_call_is_valid(name: str, data: st.DataObject) -> None:
    given_ = data.draw(arguments(name))
    before = repr(given_)
    call = builder(name)(**given_)
    assert call.name == call_name(call.body) == name
    assert checked(call.body, allow=DESTRUCTIVE_CALLS) == call.body
    assert orjson.loads(encode(call.body)) == call.body
    assert repr(given_) == before


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=50)
@given(data=st.data())
def test_every_field_is_sent_at_each_of_its_places(name: str, data: st.DataObject) -> None:
    given_ = data.draw(arguments(name))
    call = builder(name)(**given_)
    for field in CALLS[name].fields.values():
        value = given_.get(field.parameter)
        if value is None or field.kind in (Kind.OBJECT, Kind.TIME):
            continue
        wanted = value if field.kind in (Kind.EVENT, Kind.INTEGER) else str(value)
        assert all(at(call.body, place) == wanted for place in field.places)
        assert field.kind is not Kind.EVENT_ID or call.event_id == wanted


@pytest.mark.parametrize("name", CALLS)
def test_a_builder_has_exactly_the_parameters_of_its_call(name: str) -> None:
    own = {parameter for parameter in inspect.signature(builder(name)).parameters if parameter != "common"}
    assert own | Common.__annotations__.keys() == {field.parameter for field in CALLS[name].fields.values()}
    with pytest.raises(TypeError):
        builder(name)(**dict.fromkeys(own, "x"), sent_at="x")


@pytest.mark.parametrize("name", CALLS)
def test_no_keyword_reaches_the_constants_of_a_builder(name: str) -> None:
    written: Any = inspect.unwrap(builder(name), stop=lambda function: hasattr(function, "__code__"))
    code = written.__code__
    taken = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    assert taken == {field.parameter for field in CALLS[name].fields.values()}
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        worker.track("E", user_id="u", type="track")  # type: ignore[call-arg]


def test_the_package_offers_a_builder_for_every_call_and_nothing_undocumented() -> None:
    assert set(worker.__all__) == {"Call", "Event", "Reject", *CALLS}
    assert all(inspect.getdoc(getattr(worker, name)) for name in worker.__all__)
    assert {name for name, spec in CALLS.items() if spec.event} == SEMANTIC_EVENTS.keys()
    assert {name for name, spec in CALLS.items() if spec.destructive} == DESTRUCTIVE_CALLS


def test_a_device_is_added_in_both_places() -> None:
    context = {"app": {"namespace": "io.example"}, "device": {"model": "m"}}
    call = worker.create_or_update_device(
        user_id=42, token="t", device_type="ios", properties={"plan": "pro"}, context=context
    )
    assert call.body == {
        "type": "track",
        "event": "Device Created or Updated",
        "userId": "42",
        "properties": {"plan": "pro", "device": {"token": "t", "type": "ios"}},
        "context": {
            "app": {"namespace": "io.example"},
            "device": {"model": "m", "token": "t", "type": "ios"},
        },
    }
    assert context == {"app": {"namespace": "io.example"}, "device": {"model": "m"}}


def test_an_object_type_is_text_at_both_places_of_a_group() -> None:
    call = worker.group("acme", object_type_id=2, traits={"name": "ACME"})
    assert call.body == {
        "type": "group",
        "groupId": "acme",
        "objectTypeId": "2",
        "traits": {"name": "ACME", "object_type_id": "2"},
    }


def test_a_call_that_needs_somebody_gets_a_stand_in() -> None:
    assert worker.delete_object(object_id="o").body["anonymousId"] == "value-not-used"
    assert worker.report_delivery_event(delivery_id=7, metric="opened").body["anonymousId"] == "7"
    assert "anonymousId" not in worker.delete_object(object_id="o", user_id="u").body


def test_blank_ids_count_as_absent() -> None:
    assert worker.track("E", user_id=" ", anonymous_id="a").body == {
        "type": "track",
        "anonymousId": "a",
        "event": "E",
    }


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (worker.identify, "MISSING_ID"),
        (lambda: worker.track("E"), "MISSING_ID"),
        (lambda: worker.track("E", user_id=""), "MISSING_ID"),
        (lambda: worker.track("E", user_id=True), "INVALID_ID"),
        (lambda: worker.track("E", user_id=2**64), "INEXACT_NUMBER"),
        (lambda: worker.track(" ", user_id="u"), "INVALID_NAME"),
        (lambda: worker.track("user deleted", user_id="u"), "RESERVED_NAME"),
        (lambda: worker.track("E", user_id="u", timestamp="yesterday"), "INVALID_TIMESTAMP"),
        (lambda: worker.track("E", user_id="u", timestamp=datetime(2026, 1, 1)), "INVALID_TIMESTAMP"),  # noqa: DTZ001 - tested
        (lambda: worker.track("E", user_id="u", properties=[]), "INVALID_TYPE"),  # type: ignore[arg-type]
        (lambda: worker.page(user_id="u"), "MISSING_FIELD"),
        (lambda: worker.group(""), "MISSING_ID"),
        (lambda: worker.group("g", object_type_id=0), "INVALID_VALUE"),
        (lambda: worker.group("g", object_type_id=" "), "INVALID_VALUE"),
        (lambda: worker.alias(user_id="u", previous_id=None), "MISSING_ID"),
        (lambda: worker.delete_device(user_id="u", token=""), "MISSING_FIELD"),
        (lambda: worker.delete_device(user_id="u", token="t", device_type="web"), "INVALID_VALUE"),
        (lambda: worker.delete_relationship(user_id="u", object_id=None), "MISSING_ID"),
        (lambda: worker.report_delivery_event(delivery_id="d", metric="exploded"), "INVALID_VALUE"),
        (lambda: worker.report_content_event(user_id="u", action_type="ate"), "INVALID_VALUE"),
        (lambda: worker.alias(user_id="u", previous_id=[]), "INVALID_ID"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_builder_refuses_an_invalid_call(make: Callable[[], Call], reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        make()
    assert caught.value.reason == reason


@pytest.mark.parametrize("code", ["NO_PLAN", "A", "A" * 64, "X_9"])
def test_a_code_of_the_right_shape_is_the_reason(code: str) -> None:
    assert worker.Reject(code).code == code


@pytest.mark.parametrize("code", ["", "no_plan", "cool.person@example.com", "A" * 65, "_A", "A\n", "É", 5])
def test_any_other_code_might_hold_data_and_is_replaced(code: Any) -> None:
    assert worker.Reject(code).code == "MAPPER_REJECTED"
    assert str(worker.Reject(code)) == "MAPPER_REJECTED"
