"""What becomes of the calls that a Python mapper returns: checked, completed and encoded in its rule's converter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import worker
from tests.support.built_calls import built, outcome, specs_and_values
from tests.support.mapper_calls import IDS, mapped, mapper_converter, rejection
from tests.support.records import TIME, converted, record
from tests.support.values import DISGUISED
from worker import Call, Event, group, identify, track
from worker.core.reasons import Rejected, Stage
from worker.customerio.notices import Notice
from worker.customerio.reference import DESTRUCTIVE_CALLS
from worker.mapping.calls.specs import CallSpec
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.future_times import FutureTimes


def test_a_call_says_when_its_record_was_produced_unless_it_says_so_itself() -> None:
    mapper = mapper_converter(lambda event: identify(user_id="u", timestamp=event.value.get("at")))
    (own,) = mapped(mapper, {"at": 1_700_000_000})
    (records,) = mapped(mapper, {})
    (none,) = mapped(mapper, of=record({}, millis=None))
    assert (own["timestamp"], records["timestamp"]) == (
        "2023-11-14T22:13:20.000Z",
        "2025-11-21T10:00:00.000Z",
    )
    assert "timestamp" not in none
    with pytest.raises(Rejected, match="INVALID_TIMESTAMP"):
        mapped(mapper, of=record({}, millis=10**17))


def test_ids_are_those_of_the_record_and_the_call_the_first_time_and_ever_after() -> None:
    mapper = mapper_converter(
        lambda _: [identify(user_id="u"), *(track(f"E{n % 3}", user_id="u") for n in range(20))]
    )
    for at in ((0, 1), (0, 2), (1, 1), (0, 1)):
        made = mapped(mapper, of=record({}, at=at))
        assert [call["messageId"] for call in made] == [
            IDS.for_record(TIME, "orders", *at, call["type"], call.get("event", ""), index)
            for index, call in enumerate(made)
        ]


def test_calls_without_a_name_have_ids_of_their_types() -> None:
    mapper = mapper_converter(lambda event: group("u") if event.value else identify(user_id="u"))
    of_types = {call["messageId"] for value in ({}, {"a": 1}) for call in mapped(mapper, value)}
    assert of_types == {
        IDS.for_record(TIME, "orders", 3, 42, type_, "", 0) for type_ in ("identify", "group")
    }


def test_an_event_s_own_id_makes_the_call_s() -> None:
    (call,) = mapped(mapper_converter(lambda _: track("E", user_id="u", message_id=7)), {})
    assert call["messageId"] == IDS.for_event("7", "track", "E", 0)


def test_a_dict_s_own_message_id_is_sent() -> None:
    plain = {"type": "identify", "userId": "u", "messageId": "m"}
    assert mapped(mapper_converter(lambda _: plain), {})[0]["messageId"] == "m"
    assert plain.keys() == {"type", "userId", "messageId"}


def test_one_call_returned_twice_is_two_calls() -> None:
    once = track("E", user_id="u")
    mapper = mapper_converter(lambda _: [once, once])
    for _ in range(2):
        first, second = mapped(mapper, {})
        assert first["messageId"] != second["messageId"]


@pytest.mark.parametrize("said", [b'"context":{"ip":"1"}', b""])
def test_a_call_has_a_batch_context_only_where_the_target_wants_them(said: bytes) -> None:
    in_context = track("E", user_id="u", context={"ip": "1"})
    mapper = mapper_converter(lambda _: [in_context, track("E", user_id="u")], batch_contexts=bool(said))
    assert [context for _, context in converted(mapper, record({}))] == [said, b""]


def test_a_call_that_cannot_be_sent_is_named_by_its_index() -> None:
    large = track("E", user_id="u", properties={"text": "x" * 400})
    with pytest.raises(Rejected, match="CALL_TOO_LARGE") as caught:
        mapped(mapper_converter(lambda _: [identify(user_id="u"), large], max_call_bytes=300))
    assert caught.value.call_index == 1


@pytest.mark.parametrize("name", DISGUISED)
def test_a_reserved_name_in_disguise_passes_neither_as_a_builder_s_nor_in_a_dict(name: str) -> None:
    for mapper in (
        mapper_converter(lambda _: track(name, user_id="u")),
        mapper_converter(lambda _: {"type": "track", "userId": "u", "event": name}),
    ):
        with pytest.raises(Rejected, match="RESERVED_NAME"):
            mapped(mapper, {})


REFERENCE = {
    "type": "identify",
    "userId": "97980cfea0067",
    "traits": {"email": "cool.person@example.com", "createdAt": "2019-08-24T14:15:22Z"},
    "integrations": {"All": True, "Salesforce": False},
    "messageId": "string",
    "receivedAt": "2019-08-24T14:15:22Z",
    "sentAt": "2019-08-24T14:15:22Z",
    "originalTimestamp": "2019-08-24T14:15:22Z",
    "timestamp": "2019-08-24T14:15:22Z",
    "version": 0,
}
"""The reference's own example of an identify (reference, Identify)."""


def test_a_dict_may_have_every_common_field_and_one_time_is_sent() -> None:
    (call,) = mapped(mapper_converter(lambda _: REFERENCE), {})
    dropped = {"receivedAt", "sentAt", "originalTimestamp", "version"}
    assert call == {key: REFERENCE[key] for key in REFERENCE.keys() - dropped} | {
        "timestamp": "2019-08-24T14:15:22.000Z"
    }


def test_an_original_timestamp_is_the_time_of_a_call_that_has_no_other() -> None:
    track_it = {
        "type": "track",
        "userId": "u",
        "event": "E",
        "originalTimestamp": "2019-08-24T16:15:22+02:00",
    }
    (call,) = mapped(mapper_converter(lambda _: track_it | {"timestamp": None}), {})
    assert call["timestamp"] == "2019-08-24T14:15:22.000Z"
    assert "originalTimestamp" not in call
    (call,) = mapped(mapper_converter(lambda _: track_it | {"timestamp": 1_700_000_000}), {})
    assert call["timestamp"] == "2023-11-14T22:13:20.000Z"
    with pytest.raises(Rejected, match="INVALID_TIMESTAMP: originalTimestamp: "):
        mapped(mapper_converter(lambda _: track_it | {"originalTimestamp": "now"}), {})


@pytest.mark.parametrize(
    "made",
    [
        lambda: identify(user_id="u", traits={"email": 5}),
        lambda: identify(user_id="u", integrations={"All": "yes"}),
        lambda: group("g", traits={"object_type_id": "company"}),
        lambda: {"type": "identify", "userId": "u", "traits": {"email": 5}},
        lambda: {"type": "identify", "userId": "u", "integrations": {"All": None}},
        lambda: {"type": "group", "groupId": "g", "objectTypeId": "company"},
    ],
)
def test_traits_that_customer_io_reads_have_the_documented_type(made: Callable[[], Any]) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(mapper_converter(lambda _: made()), {})
    assert caught.value.reason in {"INVALID_TYPE", "INVALID_VALUE"}


@pytest.mark.parametrize(
    "id_", ["null", "NULL", " null ", "\u2003null", "ab", "Ab", "\u017fx", "[object Object]"]
)
def test_rejected_ids_are_refused_in_calls_of_builders_whatever_their_case_and_spaces(id_: str) -> None:
    mapper = mapper_converter(
        lambda event: track("E", user_id=event.value["id"]), reject_ids=REJECT_IDS | {"ab", "sx"}
    )
    with pytest.raises(Rejected, match="FORBIDDEN_ID") as caught:
        mapped(mapper, {"id": id_})
    assert caught.value.call_index == 0
    (call,) = mapped(mapper, {"id": f"{id_}!"})
    assert call["userId"] == f"{id_}!"


def test_nan_in_a_call_is_refused_wherever_a_null_stands_before_or_after() -> None:
    nan, infinite = float("nan"), float("inf")
    for properties in ({"a": nan, "b": None}, {"a": None, "b": [infinite]}, {"a": -infinite}):
        assert refused(track("null", user_id="u", properties=properties)) == "INEXACT_NUMBER"
    (call,) = mapped(mapper_converter(lambda _: track("null", user_id="u", properties={"a": None})))
    assert call["properties"] == {"a": None}


def touch(call: Call) -> Call:
    assert call.body
    return call


@settings(max_examples=300)
@given(
    specs_and_values(),
    st.sampled_from([frozenset(), DESTRUCTIVE_CALLS, frozenset({"delete_user"})]),
    st.sampled_from([REJECT_IDS, frozenset(), frozenset({"u", "5"})]),
    st.sampled_from(["off", "warn", "reject"]),
)
def test_a_call_of_a_builder_is_finished_like_one_that_is_checked_in_full(
    drawn: tuple[CallSpec, dict[str, Any]], allow: frozenset[str], reject_ids: frozenset[str], profile: str
) -> None:
    noticed: list[tuple[Notice, str]] = []

    def finished(call: Call) -> Any:
        noticed.clear()
        convert = mapper_converter(
            lambda _: call,
            allow=allow,
            reject_ids=reject_ids,
            profile=profile,
            future=FutureTimes(1000, lambda *seen: noticed.append(seen)),
            on_notice=lambda *seen: noticed.append(seen),
        )
        return outcome(lambda: converted(convert, record({}))), list(noticed)

    try:
        call = built(*drawn)
    except Rejected:
        return
    short = finished(call)
    assert call.untouched is not None
    assert short == finished(touch(call))


def refused(call: Call, **rule: Any) -> str | None:
    """Why a record of which a mapper makes this call is rejected."""
    found = rejection(mapper_converter(lambda _: call, **rule))
    return found.reason if found else None


@pytest.mark.parametrize(
    "call",
    [
        track("E", user_id=" Null"),
        track("E", anonymous_id="null"),
        track("E", user_id="u", group_id="null"),
        worker.alias(user_id="u", previous_id="null"),
        worker.report_delivery_event(delivery_id="null", metric="opened"),
        track("E", user_id="u", message_id="null"),
    ],
    ids=repr,
)
def test_rejected_ids_are_found_in_an_untouched_call(call: Call) -> None:
    assert refused(call, allow={"alias"}) == "FORBIDDEN_ID"
    assert refused(call, allow={"alias"}, reject_ids=()) is None


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
    assert refused(call, allow=DESTRUCTIVE_CALLS) in {"INVALID_VALUE", "INVALID_TYPE"}


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("field", ["context", "integrations"])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**64, "INEXACT_NUMBER"),
        ("\udc80", "INVALID_TEXT"),
        (object(), "UNENCODABLE"),
        ({5: 5}, "UNENCODABLE"),
    ],
)
def test_a_batch_context_that_is_no_json_is_refused_like_all_else(
    field: str, value: object, reason: str, *, touched: bool
) -> None:
    call = track("E", user_id="u", **{field: {"other": {"deep": value}}})  # type: ignore[arg-type]
    found = rejection(mapper_converter(lambda _: touch(call) if touched else call))
    assert found is not None
    assert (found.stage, found.reason) == (Stage.VALIDATE, reason)
    assert found.detail.startswith(f"{field} holds ")


@pytest.mark.parametrize("make", [worker.page, worker.screen, worker.track])
@pytest.mark.parametrize(("characters", "reason"), [(150, None), (151, "LIMIT_EXCEEDED")])
def test_the_limit_of_an_object_s_id_holds_for_all_calls_with_properties(
    make: Callable[..., Call], characters: int, reason: str | None
) -> None:
    call = make("A", user_id="u", properties={"objectId": "o" * characters})
    assert refused(call, profile="reject") == refused(touch(call), profile="reject") == reason


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (track("E", user_id="u" * 151), Notice.ID_LENGTH),
        (track("E", group_id="ü" * 76), Notice.ID_LENGTH),
        (worker.alias(user_id="u", previous_id="p" * 151), Notice.ID_LENGTH),
        (worker.delete_object(object_id="o" * 151), Notice.ID_LENGTH),
        (worker.screen(user_id="u", properties={"objectId": "o" * 151, "url": "u"}), Notice.ID_LENGTH),
        (track("ü" * 51, user_id="u"), Notice.EVENT_NAME_LENGTH),
        (group("g", traits={"text": "t" * 1001}), Notice.TRAIT_VALUE_SIZE),
        (identify(user_id="u", traits={"id": "other"}), Notice.RESERVED_TRAIT),
        (track("E", user_id="u", timestamp="2030-01-01T00:00:00Z"), Notice.FUTURE_TIME),
        (track("E" * 25, user_id="u" * 37, properties={"objectId": "o"}), None),
    ],
    ids=lambda given: str(given)[:60],
)
def test_what_may_not_have_the_effect_that_was_meant_is_noticed(call: Call, kind: Notice | None) -> None:
    noticed: list[Notice] = []

    def on_notice(kind: Notice, rule: str) -> None:
        assert rule == "orders.yaml:3"
        noticed.append(kind)

    future = FutureTimes(1000, on_notice)
    convert = mapper_converter(
        lambda _: call, allow=DESTRUCTIVE_CALLS, profile="warn", on_notice=on_notice, future=future
    )
    mapped(convert)
    assert call.untouched is not None
    assert noticed == ([] if kind is None else [kind])


def test_an_event_s_own_id_is_checked_where_a_call_has_its_message_id_too() -> None:
    call = track("E", user_id="u", message_id="null")
    call.body["messageId"] = "m"
    assert refused(call) == "FORBIDDEN_ID"


def test_a_destructive_call_needs_the_rules_leave() -> None:
    deleted = {"type": "track", "userId": "u", "event": "User Deleted"}
    for call in (Call("", deleted), worker.delete_user(user_id="u")):
        assert refused(call, allow={"suppress_user"}) == "NOT_ALLOWED"
        assert refused(call, allow={"delete_user"}) is None


def give(calls: list[Any], _event: Event) -> list[Any]:
    return calls


def test_a_rejected_call_is_named_by_its_index() -> None:
    plain = {"type": "track", "userId": "u", "event": "E"}
    for calls in (
        [plain, plain | {"userId": 5}],
        [track("E", user_id="u"), touch(track("E", user_id="null"))],
    ):
        found = rejection(mapper_converter(partial(give, calls)))
        assert found is not None
        assert found.call_index == 1
    assert mapped(mapper_converter(lambda _: [])) == []


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
    call = track("E", user_id="u", properties={}, timestamp=1_700_000_000)
    assert refused(call) is None
    spoil(call)
    assert refused(call) == reason


def test_a_body_that_somebody_held_before_is_looked_at_again() -> None:
    call = track("E", user_id="u")
    held = call.body
    assert refused(call) is None
    held["userId"] = 5
    assert refused(call) == "INVALID_ID"


def test_a_call_that_no_builder_made_is_looked_at() -> None:
    assert refused(Call("track", {"type": "track", "userId": 5, "event": "E"})) == "INVALID_ID"


def test_objects_that_were_given_to_a_builder_may_change_afterwards() -> None:
    properties: dict[str, Any] = {"url": "u"}
    context: dict[str, Any] = {}
    viewed = worker.page(user_id="u", properties=properties)
    tracked = track("E", user_id="u", context=context, properties=properties)
    assert refused(viewed) is None
    assert refused(tracked) is None
    del properties["url"]
    properties["recipient"] = "r"
    assert refused(viewed) == "MISSING_FIELD"
    assert refused(tracked) == "RESERVED_PROPERTY"
    context["ip"] = 5
    assert refused(tracked) == "INVALID_TYPE"
