from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.support.records import TIME, record
from tests.support.values import DISGUISED
from worker import Event, group, identify, track
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected
from worker.core.records import Record
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.compiler.target import Target
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappers.mapper_rule import MapperRule

IDS = MessageIds("cluster")


def rule(function: Callable[[Event], Any], **target: Any) -> MapperRule:
    return MapperRule(Mapper("a:b", function), frozenset(), REJECT_IDS, Target("orders", IDS, **target))


def calls(of: MapperRule, taken: Record, value: dict[str, Any]) -> list[dict[str, Any]]:
    return [orjson.loads(body) for body, _ in of.calls(taken, value)]


def test_a_call_says_when_its_record_was_produced_unless_it_says_so_itself() -> None:
    mapper = rule(lambda event: identify(user_id="u", timestamp=event.value.get("at")))
    (own,) = calls(mapper, record({}), {"at": 1_700_000_000})
    (records,) = calls(mapper, record({}), {})
    (none,) = calls(mapper, record({}, millis=None), {})
    assert (own["timestamp"], records["timestamp"]) == (
        "2023-11-14T22:13:20.000Z",
        "2025-11-21T10:00:00.000Z",
    )
    assert "timestamp" not in none
    with pytest.raises(Rejected, match="INVALID_TIMESTAMP"):
        calls(mapper, record({}, millis=10**17), {})


def test_ids_are_those_of_the_record_and_the_call_the_first_time_and_ever_after() -> None:
    mapper = rule(lambda _: [identify(user_id="u"), *(track(f"E{n % 3}", user_id="u") for n in range(20))])
    for at in ((0, 1), (0, 2), (1, 1), (0, 1)):
        made = calls(mapper, record({}, at=at), {})
        assert [call["messageId"] for call in made] == [
            IDS.for_record(TIME, "orders", *at, call["type"], call.get("event", ""), index)
            for index, call in enumerate(made)
        ]


def test_calls_without_a_name_have_ids_of_their_types() -> None:
    mapper = rule(lambda event: group("u") if event.value else identify(user_id="u"))
    of_types = {call["messageId"] for value in ({}, {"a": 1}) for call in calls(mapper, record({}), value)}
    assert of_types == {
        IDS.for_record(TIME, "orders", 3, 42, type_, "", 0) for type_ in ("identify", "group")
    }


def test_an_event_s_own_id_makes_the_call_s() -> None:
    (call,) = calls(rule(lambda _: track("E", user_id="u", message_id=7)), record({}), {})
    assert call["messageId"] == IDS.for_event("7", "track", "E", 0)


def test_a_dict_s_own_message_id_is_sent() -> None:
    plain = {"type": "identify", "userId": "u", "messageId": "m"}
    assert calls(rule(lambda _: plain), record({}), {})[0]["messageId"] == "m"
    assert plain.keys() == {"type", "userId", "messageId"}


def test_one_call_returned_twice_is_two_calls() -> None:
    once = track("E", user_id="u")
    mapper = rule(lambda _: [once, once])
    for _ in range(2):
        first, second = calls(mapper, record({}), {})
        assert first["messageId"] != second["messageId"]


@pytest.mark.parametrize("said", [b'"context":{"ip":"1"}', b""])
def test_a_call_has_a_batch_context_only_where_the_target_wants_them(said: bytes) -> None:
    in_context = track("E", user_id="u", context={"ip": "1"})
    mapper = rule(lambda _: [in_context, track("E", user_id="u")], batch_contexts=bool(said))
    assert [context for _, context in mapper.calls(record({}), {})] == [said, b""]


def test_a_call_that_cannot_be_sent_is_named_by_its_index() -> None:
    large = track("E", user_id="u", properties={"text": "x" * 400})
    with pytest.raises(Rejected, match="CALL_TOO_LARGE") as caught:
        rule(lambda _: [identify(user_id="u"), large], max_call_bytes=300).calls(record({}), {})
    assert caught.value.call_index == 1


@pytest.mark.parametrize("name", DISGUISED)
def test_a_reserved_name_in_disguise_passes_neither_as_a_builder_s_nor_in_a_dict(name: str) -> None:
    for mapper in (
        rule(lambda _: track(name, user_id="u")),
        rule(lambda _: {"type": "track", "userId": "u", "event": name}),
    ):
        with pytest.raises(Rejected, match="RESERVED_NAME"):
            calls(mapper, record({}), {})


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
    (call,) = calls(rule(lambda _: REFERENCE), record({}), {})
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
    (call,) = calls(rule(lambda _: track_it | {"timestamp": None}), record({}), {})
    assert call["timestamp"] == "2019-08-24T14:15:22.000Z"
    assert "originalTimestamp" not in call
    (call,) = calls(rule(lambda _: track_it | {"timestamp": 1_700_000_000}), record({}), {})
    assert call["timestamp"] == "2023-11-14T22:13:20.000Z"
    with pytest.raises(Rejected, match="INVALID_TIMESTAMP: originalTimestamp: "):
        calls(rule(lambda _: track_it | {"originalTimestamp": "now"}), record({}), {})


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
        calls(rule(lambda _: made()), record({}), {})
    assert caught.value.reason in {"INVALID_TYPE", "INVALID_VALUE"}


@pytest.mark.parametrize(
    "id_", ["null", "NULL", " null ", "\u2003null", "ab", "Ab", "\u017fx", "[object Object]"]
)
def test_rejected_ids_are_refused_in_calls_of_builders_whatever_their_case_and_spaces(id_: str) -> None:
    mapper = MapperRule(
        Mapper("a:b", lambda event: track("E", user_id=event.value["id"])),
        frozenset(),
        REJECT_IDS | {"ab", "sx"},
        Target("orders", IDS),
    )
    with pytest.raises(Rejected, match="FORBIDDEN_ID") as caught:
        calls(mapper, record({}), {"id": id_})
    assert caught.value.call_index == 0
    (call,) = calls(mapper, record({}), {"id": f"{id_}!"})
    assert call["userId"] == f"{id_}!"


def test_nan_in_a_call_is_refused_wherever_a_null_stands_before_or_after() -> None:
    mapper = rule(lambda event: track("null", user_id="u", properties=event.value))
    nan, infinite = float("nan"), float("inf")
    for properties in ({"a": nan, "b": None}, {"a": None, "b": [infinite]}, {"a": -infinite}):
        with pytest.raises(Rejected, match="INEXACT_NUMBER"):
            calls(mapper, record({}), properties)
    (call,) = calls(mapper, record({}), {"a": None})
    assert call["properties"] == {"a": None}
