"""The meaning of rules (docs/mapping.md), one sentence at a time."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.support.records import TIME, converted, record
from tests.support.values import DISGUISED
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected
from worker.core.records import EncodedCall, QueuedCall, Record
from worker.core.timestamps import from_millis
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.compiler.loop import compile_mapping
from worker.mapping.compiler.target import Target
from worker.mapping.files.reader import read_mapping

IDS = MessageIds("cluster")


def convert(rules: str, of: Record, *, head: str = "", **target: Any) -> list[EncodedCall]:
    problems: list[Problem] = []
    text = f"topics: [orders]\n{head}rules:\n{rules}"
    file = read_mapping(parse(text, "rules.yaml"), problems)
    assert not problems, problems
    assert file is not None
    return converted(compile_mapping(file, Target("orders", IDS, **target), {}), of)


def calls(rules: str, event: Any, *, head: str = "", **more: Any) -> list[dict[str, Any]]:
    return [orjson.loads(body) for body, _ in convert(rules, record(event, **more), head=head)]


def rejection(rules: str, event: Any, *, head: str = "", **more: Any) -> Rejected:
    with pytest.raises(Rejected) as raised:
        calls(rules, event, head=head, **more)
    return raised.value


IDENTIFY = "  - {call: identify, userId: id, traits: {a: a, b: b.c}}\n"
TRACK = "  - {call: track, event: Thing, userId: id, properties: data}\n"


def test_a_call_is_the_api_s_json_with_time_and_id() -> None:
    (call,) = calls(IDENTIFY, {"id": "u", "a": 1, "b": {"c": [None]}})
    assert call.pop("messageId") == IDS.for_record(TIME, "orders", 3, 42, "identify", "", 0)
    assert call == {
        "type": "identify",
        "userId": "u",
        "traits": {"a": 1, "b": [None]},
        "timestamp": "2025-11-21T10:00:00.000Z",
    }


@pytest.mark.parametrize("millis", [None, -1, -5, -1001])
def test_without_a_time_of_its_own_or_the_records_a_call_has_none(millis: int | None) -> None:
    (call,) = calls(IDENTIFY, {"id": "u"}, millis=millis)
    assert "timestamp" not in call
    assert call["messageId"] == IDS.for_record(0, "orders", 3, 42, "identify", "", 0)
    (call,) = calls(
        "  - {call: page, userId: id, name: _kafka.timestamp || 'none'}\n", {"id": "u"}, millis=millis
    )
    assert call["name"] == "none"


def test_a_run_of_records_with_and_without_times_gives_each_its_own() -> None:
    """What one record leaves in the function's locals is never taken for another's."""
    times = [TIME, -1, TIME + 1, None, -TIME, 0, -1, 999, 1000, TIME]
    run = [record({"id": "u"}, millis=millis, at=(3, 42)) for millis in times]
    queued: list[QueuedCall] = []
    file = read_mapping(parse(f"topics: [orders]\nrules:\n{IDENTIFY}", "rules.yaml"), [])
    assert file is not None
    assert compile_mapping(file, Target("orders", IDS), {})(run, queued, []) == 0
    sent = [orjson.loads(body[:-1]) for _, body, *_ in queued]
    has_time = [millis is not None and millis >= 0 for millis in times]
    assert ["timestamp" in call for call in sent] == has_time
    for call, millis in zip(sent, times, strict=True):
        if "timestamp" in call:
            assert call["timestamp"] == from_millis(millis or 0)
        assert call["messageId"] == IDS.for_record(max(0, millis or 0), "orders", 3, 42, "identify", "", 0)


def test_the_first_rule_that_matches_handles_the_event() -> None:
    rules = (
        "  - {when: k == 'a', call: track, event: First, userId: id}\n"
        "  - {when: k, call: track, event: Second, userId: id}\n"
        "  - {call: track, event: Third, userId: id}\n"
    )
    names = [calls(rules, {"id": "u", "k": kind})[0]["event"] for kind in ("a", "b", None)]
    assert names == ["First", "Second", "Third"]


def test_an_event_that_no_rule_matches_is_ignored_or_rejected() -> None:
    rules = "  - {when: k, call: identify, userId: id}\n"
    assert calls(rules, {"id": "u"}) == []
    rejected = rejection(rules, {"id": "u"}, head="unmatched: dead_letter\n")
    assert (rejected.stage, rejected.reason, rejected.rule) == ("map", "UNMATCHED", None)


def test_a_property_that_finds_nothing_is_left_out_or_sent_as_null() -> None:
    assert calls(IDENTIFY, {"id": "u", "b": {"c": 0}})[0]["traits"] == {"b": 0}
    assert calls(IDENTIFY, {"id": "u"}, head="nulls: send\n")[0]["traits"] == {"a": None, "b": None}


def test_nulls_inside_of_braces_in_an_expression_and_literal_nulls_are_sent() -> None:
    rules = "  - {call: identify, userId: id, traits: {a: '{b: b, c: c}', n: null, o: {p: p, q: [r]}}}\n"
    assert calls(rules, {"id": "u", "c": 1})[0]["traits"] == {
        "a": {"b": None, "c": 1},
        "n": None,
        "o": {"q": [None]},
    }


def test_a_whole_object_must_be_an_object_or_nothing() -> None:
    assert calls(TRACK, {"id": "u", "data": {"x": None}})[0]["properties"] == {"x": None}
    assert "properties" not in calls(TRACK, {"id": "u"})[0]
    assert rejection(TRACK, {"id": "u", "data": [1]}).reason == "INVALID_TYPE"


@pytest.mark.parametrize(
    ("found", "sent"),
    [("u", "u"), (7, "7"), (157963456373623802, "157963456373623802"), (3.0, "3"), (" u", " u"), ("é", "é")],
)
def test_a_whole_number_becomes_its_exact_text(found: Any, sent: str) -> None:
    assert calls(IDENTIFY, {"id": found})[0]["userId"] == sent


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "MISSING_ID"),
        ("", "MISSING_ID"),
        (" \u3000", "MISSING_ID"),
        ("Null", "FORBIDDEN_ID"),
        (" undefined ", "FORBIDDEN_ID"),
        ("[object Object]", "FORBIDDEN_ID"),
        (1.5, "INVALID_ID"),
        (True, "INVALID_ID"),
        ({}, "INVALID_ID"),
    ],
)
def test_an_invalid_or_rejected_id_rejects_the_record(found: Any, reason: str) -> None:
    rejected = rejection(IDENTIFY, {"id": found})
    assert (rejected.stage, rejected.reason) == ("validate", reason)
    assert (rejected.rule, rejected.call_index) == ("rules.yaml:3", 0)


def test_the_file_s_own_reject_ids_replace_the_usual_ones() -> None:
    head = "reject_ids: ['0', Guest]\n"
    assert rejection(IDENTIFY, {"id": "GUEST"}, head=head).reason == "FORBIDDEN_ID"
    assert rejection(IDENTIFY, {"id": 0}, head=head).reason == "FORBIDDEN_ID"
    assert calls(IDENTIFY, {"id": "null"}, head=head)[0]["userId"] == "null"
    assert calls(IDENTIFY, {"id": "null"}, head="reject_ids: []\n")[0]["userId"] == "null"


def test_whichever_of_both_people_is_found_is_taken() -> None:
    rules = "  - {call: track, event: E, userId: id, anonymousId: visitor}\n"
    assert calls(rules, {"id": "u", "visitor": "v"})[0].keys() >= {"userId", "anonymousId"}
    assert "userId" not in calls(rules, {"visitor": "v"})[0]
    assert rejection(rules, {"visitor": " "}).reason == "MISSING_ID"


def test_a_group_may_be_without_a_person_but_one_that_is_named_must_be_found() -> None:
    assert calls("  - {call: group, groupId: g}\n", {"g": "acme"})[0]["groupId"] == "acme"
    named = "  - {call: group, groupId: g, userId: id}\n"
    assert rejection(named, {"g": "acme"}).reason == "MISSING_ID"
    assert rejection(named, {"id": "u"}).reason == "MISSING_ID"


def test_a_group_and_a_person_that_a_track_names_must_both_be_found() -> None:
    assert calls("  - {call: track, event: E, groupId: g}\n", {"g": "acme"})[0]["groupId"] == "acme"
    named = "  - {call: track, event: E, groupId: g, userId: id, anonymousId: visitor}\n"
    assert "userId" not in calls(named, {"g": "acme", "visitor": "v"})[0]
    assert rejection(named, {"g": "acme"}).reason == "MISSING_ID"
    assert rejection(named, {"id": "u"}).reason == "MISSING_ID"


def test_an_object_s_type_goes_to_both_places_beside_the_event_s_own_traits() -> None:
    rules = "  - {call: group, groupId: g, objectTypeId: 2, traits: t}\n"
    event = {"g": "acme", "t": {"name": "ACME"}}
    call = calls(rules, event)[0]
    assert call["objectTypeId"] == "2"
    assert call["traits"] == {"name": "ACME", "object_type_id": "2"}


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-11-21T10:00:00+01:00", "2026-11-21T09:00:00.000Z"),
        (1_763_719_200, "2025-11-21T10:00:00.000Z"),
        (1_763_719_200_123, "2025-11-21T10:00:00.123Z"),
        (None, "2025-11-21T10:00:00.000Z"),
    ],
)
def test_the_event_s_time_is_sent_in_utc_and_the_record_s_where_there_is_none(at: Any, sent: str) -> None:
    rules = "  - {call: identify, userId: id, timestamp: at}\n"
    assert calls(rules, {"id": "u", "at": at})[0]["timestamp"] == sent


@pytest.mark.parametrize("at", ["yesterday", True, 1.5, {}, "2026-02-30T00:00:00Z", 10**30])
def test_anything_else_as_a_time_rejects_the_record(at: Any) -> None:
    rules = "  - {call: identify, userId: id, timestamp: at}\n"
    value = b'{"id":"u","at":%d}' % at if at == 10**30 else {"id": "u", "at": at}
    assert rejection(rules, value).reason == "INVALID_TIMESTAMP"


def test_a_record_without_a_timestamp_leaves_it_to_the_api() -> None:
    assert "timestamp" not in calls(IDENTIFY, {"id": "u"}, millis=None)[0]


def test_the_event_s_own_id_makes_the_same_id_wherever_the_record_lies() -> None:
    rules = "  - {call: track, event: E, userId: id, messageId: event_id}\n"
    here = calls(rules, {"id": "u", "event_id": "e-1"})[0]["messageId"]
    there = calls(rules, {"id": "u", "event_id": "e-1"}, at=(9, 9))[0]["messageId"]
    assert here == there == MessageIds.for_event("e-1", "track", "E", 0)
    without = calls(rules, {"id": "u"})[0]["messageId"]
    assert without == IDS.for_record(TIME, "orders", 3, 42, "track", "E", 0)


def test_calls_come_in_order_and_their_index_is_part_of_their_id() -> None:
    rules = "  - calls:\n      - {call: identify, userId: id}\n      - {call: track, event: E, userId: id}\n"
    found = calls(rules, {"id": "u"})
    assert [call["type"] for call in found] == ["identify", "track"]
    assert found[1]["messageId"] == IDS.for_record(TIME, "orders", 3, 42, "track", "E", 1)


def test_one_bad_call_of_several_rejects_the_record_and_says_which() -> None:
    rules = "  - calls:\n      - {call: identify, userId: id}\n      - {call: track, event: E, userId: who}\n"
    rejected = rejection(rules, {"id": "u"})
    assert (rejected.reason, rejected.call_index) == ("MISSING_ID", 1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("User Deleted", "RESERVED_NAME"),
        (" user deleted ", "RESERVED_NAME"),
        ("Delete Person", "RESERVED_NAME"),
        *[(name, "RESERVED_NAME") for name in DISGUISED],
        ("\ufeff", "INVALID_NAME"),
        ("  ", "INVALID_NAME"),
        (7, "INVALID_NAME"),
        (None, "MISSING_FIELD"),
    ],
)
def test_a_computed_event_name_must_be_an_ordinary_one(name: Any, reason: str) -> None:
    rules = "  - {call: track, event_from: name, userId: id}\n"
    assert rejection(rules, {"id": "u", "name": name}).reason == reason
    assert calls(rules, {"id": "u", "name": "Fine"})[0]["event"] == "Fine"


@pytest.mark.parametrize("traits", ["{email: email, a: a}", "traits", "'{email: email}'"])
@pytest.mark.parametrize("email", [5, False, ["a"], {}], ids=repr)
def test_an_email_that_is_no_text_rejects_the_record(traits: str, email: Any) -> None:
    rules = f"  - {{call: identify, userId: id, traits: {traits}}}\n"
    rejected = rejection(rules, {"id": "u", "email": email, "traits": {"email": email}})
    assert rejected.reason == "INVALID_TYPE"
    assert rejected.detail.startswith("traits.email must be text (rule rules.yaml:3, identify, traits")
    good = "cool.person@example.com"
    (call,) = calls(rules, {"id": "u", "a": 1, "email": good, "traits": {"email": good}})
    assert call["traits"]["email"] == good
    absent: list[dict[str, Any]] = [{}, {"traits": {}, "email": None}, {"traits": {"email": None}}]
    for found in absent:
        assert calls(rules, {"id": "u", **found})
        assert calls(rules, {"id": "u", **found}, head="nulls: send\n")


@pytest.mark.parametrize("traits", ["{object_type_id: kind}", "traits", "{objectTypeId: kind}"])
def test_an_object_type_that_is_no_whole_number_rejects_the_record(traits: str) -> None:
    rules = f"  - {{call: group, groupId: id, traits: {traits}}}\n"
    for wrong in ("company", "0", 1.5, True):
        rejected = rejection(rules, {"id": "g", "kind": wrong, "traits": {"object_type_id": wrong}})
        assert rejected.reason == "INVALID_VALUE"
        assert "must be a whole number of 1 or more" in rejected.detail
    for good in ("2", 2, None):
        assert calls(rules, {"id": "g", "kind": good, "traits": {"object_type_id": good}})


def test_integrations_hold_booleans_and_objects() -> None:
    rules = "  - {call: identify, userId: id, integrations: {All: all}}\n"
    for wrong in ("yes", 1, ["a"]):
        assert rejection(rules, {"id": "u", "all": wrong}).reason == "INVALID_TYPE"
    for good in (True, {"option": 1}, None):
        assert calls(rules, {"id": "u", "all": good})


def test_a_tombstone_matches_only_rules_with_a_condition() -> None:
    rules = (
        "  - {when: _kafka.tombstone, call: delete_user, userId: _kafka.key}\n"
        "  - {call: identify, userId: id}\n"
    )
    (call,) = calls(rules, None)
    assert (call["event"], call["userId"]) == ("User Deleted", "key")
    assert calls(IDENTIFY, None) == []
    assert rejection(IDENTIFY, None, head="unmatched: dead_letter\n").reason == "UNMATCHED"


def test_the_record_s_place_key_and_headers_are_under_kafka() -> None:
    rules = "  - {call: identify, userId: _kafka.key, traits: {all: _kafka, h: '_kafka.headers.\"x-id\"'}}\n"
    headers = [("x-id", b"1"), ("x-id", b"2"), ("bad", b"\xff"), ("none", None)]
    (call,) = calls(rules, {"_kafka": {"key": "hidden"}}, of_headers=headers)
    assert call["userId"] == "key"
    assert call["traits"]["h"] == "2"
    assert call["traits"]["all"] == {
        "topic": "orders",
        "partition": 3,
        "offset": 42,
        "timestamp": "2025-11-21T10:00:00.000Z",
        "key": "key",
        "headers": {"x-id": "2", "bad": None, "none": None},
        "tombstone": False,
    }


def test_at_is_the_event_without_kafka() -> None:
    rules = "  - {call: track, event: E, userId: id, properties: '@'}\n"
    assert calls(rules, {"id": "u", "_kafka": 1, "x": 2})[0]["properties"] == {"id": "u", "x": 2}


def test_an_expression_that_fails_rejects_the_record_without_its_values() -> None:
    rules = "  - {call: identify, userId: id, traits: {q: 'divide(a, b)'}}\n"
    rejected = rejection(rules, {"id": "secret", "a": 12345, "b": 0})
    assert (rejected.stage, rejected.reason) == ("map", "EXPRESSION_FAILED")
    assert "12345" not in rejected.detail
    assert calls(rules, {"id": "u", "a": True, "b": 1})[0]["traits"] == {}


def test_a_condition_that_fails_names_its_rule() -> None:
    rules = (
        IDENTIFY.replace("{call", "{when: 'a == `1`', call")
        + "  - {when: 'divide(a, b) > `1`', call: identify, userId: id}\n"
    )
    assert rejection(rules, {"a": 2, "b": 0}).rule == "rules.yaml:4"


@pytest.mark.parametrize("where", ['"data":{"n":%d}', '"data":{"l":[{"n":%d}]}'])
def test_an_integer_that_json_decoders_cannot_hold_rejects_the_record(where: str) -> None:
    value = f'{{"id":"u",{where % 2**64}}}'.encode()
    assert rejection(TRACK, value).reason == "INEXACT_NUMBER"
    unused = f'{{"id":"u","other":{2**64}}}'.encode()
    assert calls(TRACK, unused)[0]["userId"] == "u"


def test_a_call_over_the_limit_rejects_the_record() -> None:
    sizes = len(convert(TRACK, record({"id": "u", "data": {"x": ""}}))[0][0])
    fits = {"id": "u", "data": {"x": "é" * ((32_000 - sizes) // 2)}}
    assert len(convert(TRACK, record(fits))[0][0]) <= 32_000
    fits["data"]["x"] += "éé"  # type: ignore[index] # a dict, as one sees
    assert rejection(TRACK, fits).reason == "CALL_TOO_LARGE"


def test_calls_with_the_same_context_have_the_same_batch_context() -> None:
    rules = "  - {call: identify, userId: id, context: {ip: ip, locale: l}, integrations: {All: true}}\n"
    ((_, one),) = convert(rules, record({"id": "u", "ip": "10.0.0.1", "l": "en"}))
    ((_, other),) = convert(rules, record({"l": "en", "ip": "10.0.0.1", "id": "v"}))
    assert one == other == b'"context":{"ip":"10.0.0.1","locale":"en"},"integrations":{"All":true}'
    assert convert(rules, record({"id": "u"}), batch_contexts=False)[0][1] == b""
    assert convert(IDENTIFY, record({"id": "u"}))[0][1] == b""


def test_a_delivery_that_stands_in_for_the_person_is_checked_as_an_id() -> None:
    rules = "  - {call: report_delivery_event, userId: u, deliveryId: id, metric: \"'opened'\"}\n"
    assert calls(rules, {"id": "d"})[0]["anonymousId"] == "d"
    assert rejection(rules, {"id": "null"}).reason == "FORBIDDEN_ID"
    assert calls(rules, {"id": "null", "u": "p"})[0]["properties"] == {
        "deliveryId": "null",
        "metric": "opened",
    }


def test_a_context_of_a_wrong_type_rejects_the_record() -> None:
    rules = "  - {call: identify, userId: id, context: {ip: ip}}\n"
    assert rejection(rules, {"id": "u", "ip": 7}).reason == "INVALID_TYPE"


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"{", "INVALID_JSON"), (b"[1]", "NOT_AN_OBJECT"), (b"", "EMPTY_VALUE"), (b"\xff", "INVALID_JSON")],
)
def test_a_value_that_is_no_json_object_is_rejected_before_any_rule(value: bytes, reason: str) -> None:
    rejected = rejection(IDENTIFY, value)
    assert (rejected.stage, rejected.reason, rejected.rule, rejected.call_index) == (
        "decode",
        reason,
        None,
        None,
    )


def test_a_schema_registry_prefix_is_skipped() -> None:
    assert calls(IDENTIFY, b'\x00\x00\x00\x00\x07{"id":"u"}')[0]["userId"] == "u"


def test_converting_changes_nothing_for_the_next_record() -> None:
    rules = "  - {call: create_or_update_device, userId: id, token: t, properties: '`{\"a\": 1}`'}\n"
    first = convert(rules, record({"id": "u", "t": "t1"}))
    second = convert(rules, record({"id": "u", "t": "t2"}))
    assert first != second
    assert convert(rules, record({"id": "u", "t": "t1"})) == first


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_an_event_that_nests_too_deep_is_rejected_where_it_matters(depth: int) -> None:
    nested = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    event = b'{"id":"u","data":' + nested + b',"other":' + nested + b"}"
    assert rejection(TRACK, event).reason == "TOO_DEEP"
    compared = IDENTIFY.replace("{call", "{when: data == other, call")
    try:
        assert calls(compared, event)[0]["userId"] == "u"
    except Rejected as rejected:
        assert rejected.reason == "TOO_DEEP"  # noqa: PT017 - either is right, and nothing else is


def test_text_that_is_not_utf_8_is_seen_where_nothing_reads_it() -> None:
    assert rejection(IDENTIFY, b'{"id":"u","unread":"\xff"}').reason == "INVALID_JSON"
    assert calls(IDENTIFY, '{"id":"u","unread":"é"}'.encode())[0]["userId"] == "u"
