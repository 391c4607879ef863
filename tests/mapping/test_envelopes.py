"""Rules on events in envelopes: what they see, what is ignored, which calls they make."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.records import record
from worker.core.message_id import MessageIds
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.compiler.envelopes.headers import MOST_LAYOUTS
from worker.mapping.files.lint import Sample, findings
from worker.mapping.files.reader import read_mapping
from worker.mapping.kafka_fields import kafka_fields
from worker.mapping.mappers.event import Event
from worker.mapping.mappers.loading import Mapper
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import map_event
from worker.mapping.trying.steps import steps_of

IDS = MessageIds("cluster")
CLOUD_EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "x",
    "time": "2026-11-21T10:00:00Z",
}
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/shop"),
    ("ce_type", b"x"),
    ("ce_time", b"2026-11-21T10:00:00Z"),
    ("content-type", b"application/json"),
]


def read(text: str) -> tuple[Mappings, list[Problem]]:
    problems: list[Problem] = []
    file = read_mapping(parse(f"topics: [orders]\n{text}", "rules.yaml"), problems)
    assert file is not None
    return Mappings([file], {}, []), problems


def mapped(text: str, value: Any, **more: Any) -> dict[str, Any]:
    mappings, problems = read(text)
    assert not problems, problems
    return map_event(mappings, record(value, **more))


def calls(text: str, value: Any, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mapped(text, value, **more)["calls"]
    return found


def change(op: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "before": None, "after": {"id": "u-1"}, "source": {"ts_ms": 1763719200123}, **more}


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


def mapper_sees(text: str, value: Any, see: Callable[[Event], Any], **more: Any) -> list[Any]:
    seen: list[Any] = []

    def mapper(event: Event) -> dict[str, Any]:
        seen.append(see(event))
        return {"type": "track", "event": "E", "userId": "u"}

    problems: list[Problem] = []
    file = read_mapping(parse(f"topics: [orders]\n{text}", "rules.yaml"), problems)
    assert file is not None
    assert not problems
    mappings = Mappings([file], {"a:b": Mapper("a:b", mapper)}, [])
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


# The file

WRONG = [
    ("envelope: debezzium\n", "`envelope` is none or debezium or cloudevents or connect"),
    ("snapshot: send\n", "`snapshot` is only for `envelope: debezium`"),
    ("envelope: connect\nsnapshot: send\n", "`snapshot` is only for `envelope: debezium`"),
    ("envelope: debezium\nsnapshot: maybe\n", "`snapshot` is ignore or send"),
    ("key_format: yaml\n", "`key_format` is json or text"),
]


@pytest.mark.parametrize(("head", "message"), WRONG)
def test_wrong_words_are_problems_with_their_place(head: str, message: str) -> None:
    _, problems = read(f"{head}rules:\n  - {{call: identify, userId: id}}\n")
    (problem,) = problems
    assert message in problem.message
    assert problem.line is not None


# Explanations and warnings


def test_an_explanation_shows_what_the_envelope_says() -> None:
    mappings, _ = read(
        "envelope: debezium\nrules:\n  - {when: _change.op == 'update', call: identify, userId: _change.bfore.id}\n"
    )
    of = record(change("u", before={"id": "u-0"}))
    steps = steps_of(mappings, of, mappings.explain(of, IDS))
    (tried,) = steps.rules
    assert tried.conditions[0].sides[0].value == "update"
    ((_, fields),) = steps.calls
    assert fields[0].found.missing == "_change has no 'bfore' (did you mean 'before'?)"


def test_an_ignored_record_is_explained_without_rules() -> None:
    mappings, _ = read(DELETES)
    steps = steps_of(mappings, record(change("r")), mappings.explain(record(change("r")), IDS))
    assert (steps.rules, steps.explanation.ignored) == ([], "snapshot")


def warnings(text: str, *values: Any) -> list[str]:
    document = parse(f"topics: [orders]\n{text}", "rules.yaml")
    samples = [Sample("orders", value, kafka_fields(record(value, key=b'{"id": 1}'))) for value in values]
    return [
        f"{found.message} ({found.hint})" if found.hint else found.message
        for found in findings([document], samples)
    ]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("_change.op == 'c'", "write 'create'"),
        ("_change.op == 'deleted'", "write 'delete'"),
        ("_change.opp == 'create'", "_change has no 'opp' (did you mean 'op'?)"),
        ("_kafka.key.id == `1` && _change.op == 'delete'", None),
        ("emial == 'x'", "no fixture has 'emial' here (did you mean 'email'?)"),
        ("_change.before.emial == 'x'", "no fixture has 'emial' here (did you mean 'email'?)"),
    ],
)
def test_fields_of_the_envelope_are_checked(when: str, expected: str | None) -> None:
    text = f"envelope: debezium\nrules:\n  - {{when: {json.dumps(when)}, call: identify, userId: id}}\n"
    row = {"id": 1, "email": "a@example.com"}
    found = warnings(text, change("u", before=row, after=row))
    assert (not found) if expected is None else any(expected in each for each in found), found


def test_an_envelope_that_the_file_does_not_name_is_a_warning() -> None:
    found = warnings("rules:\n  - {when: _change.op == 'create', call: identify, userId: id}\n", {"id": 1})
    assert any("envelope: debezium" in each for each in found)


# A schema that does not describe its payload

SCHEMA = {"type": "struct", "fields": [{"type": "string", "field": "id"}, {"type": "int32", "field": "n"}]}
IDENTIFY = "rules:\n  - {call: identify, userId: id, traits: {n: n}}\n"


@pytest.mark.parametrize("traits", ["{n: n}", "'@'"])
def test_a_field_of_another_type_than_the_schema_says_is_rejected_also_once_the_schema_is_known(
    traits: str,
) -> None:
    mappings, _ = read(f"envelope: connect\nrules:\n  - {{call: identify, userId: id, traits: {traits}}}\n")
    right, wrong = ({"schema": SCHEMA, "payload": {"id": "u-1", "n": n}} for n in (1, "1"))
    for _ in range(2):
        assert map_event(mappings, record(right))["calls"]
        verdict = map_event(mappings, record(wrong))["rejected"]
        assert verdict["reason"] == "INVALID_ENVELOPE"
        assert "a field is text, and it says a number" in verdict["detail"]


def test_a_field_that_no_rule_reads_is_not_compared() -> None:
    value = {"schema": SCHEMA, "payload": {"id": "u-1", "n": "1"}}
    assert calls("envelope: connect\nrules:\n  - {call: identify, userId: id}\n", value)


def test_a_new_schema_replaces_the_one_that_was_known() -> None:
    mappings, _ = read("envelope: connect\n" + IDENTIFY)
    texts = {"type": "struct", "fields": [{"type": "string", "field": "n"}]}
    for schema, n in ((SCHEMA, 1), (texts, "1"), (SCHEMA, 2), (None, [])):
        (call,) = map_event(mappings, record({"schema": schema, "payload": {"id": "u-1", "n": n}}))["calls"]
        assert call["traits"] == {"n": n}


# Layouts of headers


def test_headers_in_any_order_are_read_and_so_are_layouts_that_alternate() -> None:
    mappings, _ = read("envelope: cloudevents\nrules:\n  - {call: track, event: E, userId: _ce.subject}\n")
    first = [*BINARY, ("ce_subject", b"u-1")]
    second = [("ce_subject", b"u-2"), *reversed(BINARY)]
    for _ in range(3):
        for headers, user in ((first, "u-1"), (second, "u-2")):
            (call,) = map_event(mappings, record({}, of_headers=headers))["calls"]
            assert call["userId"] == user
            assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)


def test_more_layouts_than_are_kept_are_read_too() -> None:
    mappings, _ = read("envelope: cloudevents\nrules:\n  - {call: track, event: E, userId: _ce.type}\n")
    for number in range(2 * MOST_LAYOUTS):
        headers = [*BINARY, (f"x-{number}", b"")]
        (call,) = map_event(mappings, record({}, of_headers=headers))["calls"]
        assert call["userId"] == "x"


@pytest.mark.parametrize(
    "headers",
    [
        [*BINARY[:5], ("content-type", b"application/vnd.shop+json")],
        [("ce_specversion", b"0.3"), *BINARY[1:]],
        [*BINARY, ("ce_subject", None)],
        [*BINARY, ("ce_id", b"e-1")],
    ],
)
def test_unusual_headers_are_treated_with_care(headers: list[tuple[str, bytes | None]]) -> None:
    rule = "  - {call: track, event: E, userId: _ce.type, properties: {subject: _ce.subject}}\n"
    (call,) = calls(f"envelope: cloudevents\nrules:\n{rule}", {}, of_headers=headers)
    assert call["messageId"] == MessageIds.for_event("/shop/e-1", "track", "E", 0)
