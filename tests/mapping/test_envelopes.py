"""Rules on events in envelopes: what they see, what is ignored, which calls they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.enveloped import BINARY, CLOUD_EVENT, calls, change, mapped
from tests.support.records import record
from worker.core.message_id import MessageIds
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import map_event

# Tombstones and the words for what is ignored

DELETES = "envelope: debezium\nunmatched: dead_letter\nrules:\n  - {when: '!email', call: delete_user, userId: id}\n"
ON_REQUEST = "  - {when: _kafka.tombstone, call: delete_user, userId: _kafka.key.id}\n"


def test_a_tombstone_reaches_only_rules_that_ask_for_it() -> None:
    assert mapped(DELETES, None, key=b'{"id": "u-1"}') == {"ignored": "tombstone"}
    (deleted,) = calls(DELETES + ON_REQUEST, None, key=b'{"id": "u-1"}')
    assert (deleted["event"], deleted["userId"]) == ("User Deleted", "u-1")
    (by_row,) = calls(DELETES + ON_REQUEST, change("u"))
    assert by_row["userId"] == "u-1"


def test_a_rule_may_ask_for_tombstones_through_a_name() -> None:
    text = (
        "envelope: debezium\nlet: {gone: _kafka.tombstone}\n"
        "rules:\n  - {when: $gone, call: delete_user, userId: _kafka.key.id}\n"
    )
    assert calls(text, None, key=b'{"id": "u-1"}')[0]["userId"] == "u-1"


def test_under_connect_unmatched_applies_to_tombstones() -> None:
    text = "envelope: connect\nunmatched: dead_letter\nrules:\n  - {call: identify, userId: id}\n"
    assert mapped(text, {"schema": None, "payload": None})["rejected"]["reason"] == "UNMATCHED"
    assert mapped(text.replace("unmatched: dead_letter\n", ""), {"schema": None, "payload": None}) == {
        "ignored": "tombstone"
    }


def test_an_ignored_record_needs_no_rule_even_where_unmatched_is_a_dead_letter() -> None:
    assert mapped(DELETES, change("r")) == {"ignored": "snapshot"}
    assert mapped(DELETES, {"ts_ms": 1763719200000}) == {"ignored": "message"}
    assert mapped(DELETES, change("u", after={"id": 1, "email": "e"}))["rejected"]["reason"] == "UNMATCHED"


# Keys

KEY = "rules:\n  - {call: track, event: E, userId: \"'u'\", properties: {key: _kafka.key}}\n"


@pytest.mark.parametrize(
    ("head", "key", "expected"),
    [
        ("", b"cust-1", "cust-1"),
        ("", b"\xff", None),
        ("key_format: json\n", b'{"id": 1}', {"id": 1}),
        ("key_format: json\n", b"17", 17),
        ("key_format: json\n", b'"cust-1"', "cust-1"),
        ("key_format: json\n", b'\x00\x00\x00\x00\x07{"id": 1}', {"id": 1}),
        (
            "key_format: json\n",
            b'{"schema": null, "payload": {"id": 1}}',
            {"schema": None, "payload": {"id": 1}},
        ),
        ("envelope: connect\n", b'{"schema": null, "payload": {"id": 1}}', {"id": 1}),
        ("envelope: connect\nkey_format: text\n", b'{"id": 1}', '{"id": 1}'),
        ("envelope: debezium\n", b'{"schema": {}, "payload": 7}', 7),
        ("envelope: cloudevents\n", b"cust-1", "cust-1"),
    ],
)
def test_a_key_is_decoded_as_the_mapping_says(head: str, key: bytes, expected: Any) -> None:
    value: dict[str, Any] = {
        "envelope: connect\n": {"schema": None, "payload": {}},
        "envelope: connect\nkey_format: text\n": {"schema": None, "payload": {}},
        "envelope: debezium\n": change("c"),
        "envelope: cloudevents\n": CLOUD_EVENT,
    }.get(head, {})
    (call,) = calls(head + KEY, value, key=key)
    assert call["properties"].get("key") == expected


@pytest.mark.parametrize(
    ("head", "reason"), [("key_format: json\n", "INVALID_JSON"), ("key_format: text\n", "INVALID_UTF8")]
)
def test_a_key_that_cannot_be_decoded_rejects_only_where_it_is_read(head: str, reason: str) -> None:
    verdict = mapped(head + KEY, {}, key=b"\xff")["rejected"]
    assert (verdict["stage"], verdict["reason"]) == ("decode", reason)
    assert "key" in verdict["detail"]
    unread = "rules:\n  - {call: track, event: E, userId: \"'u'\", properties: {at: _kafka.offset}}\n"
    assert calls(head + unread, {}, key=b"\xff")


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        (
            "{call: track, event: E, userId: _kafka.key.id}",
            "(rule rules.yaml:5, track, userId at rules.yaml:5:37).",
        ),
        (
            "{when: id, call: track, event: E, userId: id, properties: {key: $key}}",
            "(rule rules.yaml:5, track, properties.key at rules.yaml:5:69).",
        ),
        (
            "{when: _kafka.key, call: track, event: E, userId: _kafka.key}",
            "(rule rules.yaml:5, when at rules.yaml:5:12).",
        ),
    ],
)
def test_a_key_that_cannot_be_decoded_is_told_with_the_expression_that_reads_it(
    rule: str, place: str
) -> None:
    text = f"key_format: json\nlet: {{key: _kafka.key}}\nrules:\n  - {rule}\n"
    assert mapped(text, {"id": "u"}, key=b"\xff")["rejected"]["detail"].endswith(place)


# Defaults of CloudEvents

TRACK = "  - {call: track, event: E, userId: \"'u'\"%s}\n"


@pytest.mark.parametrize("more", [{}, {"of_headers": BINARY}])
def test_an_event_gives_its_calls_an_id_and_a_time(more: dict[str, Any]) -> None:
    value = {"a": 1} if more else {**CLOUD_EVENT, "data": {"a": 1}}
    (call,) = calls("envelope: cloudevents\nrules:\n" + TRACK % "", value, **more)
    assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)
    assert call["timestamp"] == "2026-11-21T10:00:00.000Z"


@pytest.mark.parametrize(
    ("defaults", "own", "message_id", "time"),
    [
        ("defaults: {messageId: mine, timestamp: at}\n", "", "m-1", "2026-01-01T00:00:00.000Z"),
        (
            "defaults: {messageId: other}\n",
            ", messageId: mine, timestamp: at",
            "m-1",
            "2026-01-01T00:00:00.000Z",
        ),
        ("", ", timestamp: at", "/shop/e-1", "2026-01-01T00:00:00.000Z"),
        ("", ", timestamp: null", "/shop/e-1", None),
    ],
)
def test_what_a_call_or_file_gives_wins_over_the_envelope(
    defaults: str, own: str, message_id: str, time: str | None
) -> None:
    value = {**CLOUD_EVENT, "data": {"mine": "m-1", "other": "m-2", "at": "2026-01-01T00:00:00Z"}}
    (call,) = calls(f"envelope: cloudevents\n{defaults}rules:\n" + TRACK % own, value)
    assert call["messageId"] == MessageIds.for_event(message_id, "track", "E", 0)
    assert call.get("timestamp") == time


def test_a_message_id_that_is_taken_away_comes_from_the_coordinates() -> None:
    value = {**CLOUD_EVENT, "data": {}}
    (call,) = calls("envelope: cloudevents\nrules:\n" + TRACK % ", messageId: null", value)
    assert call["messageId"] != MessageIds.for_event("/shop/e-1", "track", "E", 0)


def test_a_tombstone_without_attributes_has_an_id_from_its_coordinates() -> None:
    rule = "  - {when: _kafka.tombstone, call: delete_user, userId: _kafka.key}\n"
    (call,) = calls("envelope: cloudevents\nrules:\n" + rule, None, key=b"u-1")
    (plain,) = calls("rules:\n" + rule, None, key=b"u-1")
    assert call == plain


# Many rules, which are looked up

MANY = "\n".join(
    f"  - {{when: type == 't{n}', call: track, event: E{n}, userId: id, properties: {{x: %s, gone: _kafka.tombstone}}}}"
    for n in range(20)
)


@pytest.mark.parametrize(
    ("head", "about", "value", "more", "expected"),
    [
        (
            "debezium",
            "_change.before.a",
            change("u", before={"a": 5}, after={"id": "u", "type": "t7"}),
            {},
            5,
        ),
        ("connect", "type", {"schema": None, "payload": {"id": "u", "type": "t7"}}, {}, "t7"),
        ("cloudevents", "_ce.source", {**CLOUD_EVENT, "data": {"id": "u", "type": "t7"}}, {}, "/shop"),
        ("cloudevents", "_ce.source", {"id": "u", "type": "t7"}, {"of_headers": BINARY}, "/shop"),
    ],
)
def test_rules_that_are_looked_up_see_the_envelope(
    head: str, about: str, value: Any, more: dict[str, Any], expected: Any
) -> None:
    (call,) = calls(f"envelope: {head}\nrules:\n{MANY.replace('%s', about)}\n", value, **more)
    assert (call["event"], call["properties"]) == ("E7", {"x": expected, "gone": False})


# Python mappers


def mapper_sees(
    text: str, value: Any, see: Callable[[Event], Any], *, future: float | None = None, **more: Any
) -> list[Any]:
    seen: list[Any] = []

    def mapper(event: Event) -> dict[str, Any]:
        seen.append(see(event))
        return {"type": "track", "event": "E", "userId": "u"}

    problems: list[Problem] = []
    file = read_mapping(parse(f"topics: [orders]\n{text}", "rules.yaml"), problems)
    assert file is not None
    assert not problems
    mappings = Mappings([file], {"a:b": Mapper("a:b", mapper)}, [], future=future)
    (call,) = map_event(mappings, record(value, **more))["calls"]
    return [*seen, call]


def test_a_mapper_sees_the_event_with_its_envelope() -> None:
    text = "envelope: debezium\nrules:\n  - {mapper: 'a:b'}\n"
    seen, _ = mapper_sees(text, change("c"), lambda event: (event.value, event.key), key=b'{"id": 1}')
    value, key = seen
    assert value["id"] == "u-1"
    assert value["_change"]["op"] == "create"
    assert key == {"id": 1}


def test_a_mapper_sees_a_null_payload_as_a_tombstone() -> None:
    text = "envelope: connect\nrules:\n  - {when: _kafka.tombstone, mapper: 'a:b'}\n"
    seen, _ = mapper_sees(
        text, {"schema": None, "payload": None}, lambda event: (event.value, event.tombstone)
    )
    assert seen == ({}, True)


def test_calls_of_a_mapper_have_the_events_own_id_and_time() -> None:
    text = "envelope: cloudevents\nrules:\n  - {mapper: 'a:b'}\n"
    seen, call = mapper_sees(
        text, {**CLOUD_EVENT, "data": {"a": 1}}, lambda event: event.value["_ce"]["type"]
    )
    assert seen == "x"
    assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)
    assert call["timestamp"] == "2026-11-21T10:00:00.000Z"


def test_an_events_own_time_that_is_too_far_ahead_is_replaced_in_calls_of_a_mapper_too() -> None:
    text = "envelope: cloudevents\nrules:\n  - {mapper: 'a:b'}\n"
    event = {**CLOUD_EVENT, "time": "2030-01-01T00:00:00Z", "data": {}}
    _, call = mapper_sees(text, event, lambda _: None, future=300.0)
    assert call["timestamp"] == "2025-11-21T10:00:00.000Z"
