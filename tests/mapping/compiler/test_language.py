"""What rules with `ignore`, `let`, `for_each`, `defaults` and `timestamp: null` make of records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.records import TIME, converted, record
from worker.core.message_id import MessageIds
from worker.core.reasons import Rejected
from worker.core.records import QueuedCall, RejectedRecord
from worker.mapping.mappings import Mappings

IDS = MessageIds("cluster")


def load(folder: Path, text: str) -> Mappings:
    (folder / "orders.yaml").write_text(f"topics: [orders]\n{text.lstrip()}")
    return Mappings.load(
        [str(folder / "orders.yaml")], mapper_path=[], base=folder, dead_letter_topic="dead-letters"
    )


def calls(mappings: Mappings, event: Any, **more: Any) -> list[dict[str, Any]]:
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    return [orjson.loads(body) for body, _ in converted(convert, record(event, **more))]


def ignored(mappings: Mappings, event: Any) -> str | None:
    found = mappings.explain(record(event), IDS)
    assert not found.calls
    assert found.rejected is None
    return found.ignored


def rejected(mappings: Mappings, event: Any) -> Rejected:
    found = mappings.explain(record(event), IDS).rejected
    assert found is not None
    return found


OUTCOMES = """
rules:
  - {when: test, ignore: true}
  - {when: list, call: track, event: E, userId: id, for_each: "list[?b]", properties: {b: $item.b}}
  - {when: id, call: track, event: E, userId: id}
"""


def test_each_way_of_making_no_call_is_named(tmp_path: Path) -> None:
    mappings = load(tmp_path, OUTCOMES)
    assert ignored(mappings, {"test": True}) == f"ignored by {tmp_path}/orders.yaml:3"
    assert ignored(mappings, {"list": [{"a": 1}]}) == "for_each found no items"
    assert ignored(mappings, {"a": 1}) == "no rule matched"
    assert ignored(mappings, None) == "tombstone"


def test_rules_that_make_no_call_count_as_matched(tmp_path: Path) -> None:
    matched: list[str] = []
    mappings = load(tmp_path, OUTCOMES)
    convert = mappings.converter("orders", IDS, on_no_call=matched.append)
    assert convert is not None
    made: list[QueuedCall] = []
    events: list[Any] = [{"test": True}, {"list": [{"a": 1}]}, {"id": "u"}, {"other": 1}]
    assert convert([record(event) for event in events], made, []) == 3
    assert matched == [f"{tmp_path}/orders.yaml:{line}" for line in (3, 4)]
    assert mappings.conditional_rules("orders") == [f"{tmp_path}/orders.yaml:{line}" for line in (3, 4, 5)]


FOR_EACH = """
rules:
  - when: kind == 'several'
    calls:
      - {call: track, event: Before, userId: id}
      - {call: track, event: Each, userId: $item.id, for_each: list, properties: {at: $index, of: id}}
      - {call: track, event: After, userId: id}
  - {call: identify, userId: id, for_each: list, traits: {item: $item}}
"""


def test_the_place_among_all_calls_goes_into_the_message_id(tmp_path: Path) -> None:
    made = calls(load(tmp_path, FOR_EACH), {"kind": "several", "id": "o", "list": [{"id": "a"}, {"id": "b"}]})
    assert [(call["event"], call["userId"]) for call in made] == [
        ("Before", "o"),
        ("Each", "a"),
        ("Each", "b"),
        ("After", "o"),
    ]
    assert [call.get("properties") for call in made[1:3]] == [{"at": 0, "of": "o"}, {"at": 1, "of": "o"}]
    ids = [
        IDS.for_record(TIME, "orders", 3, 42, "track", name, place)
        for place, name in enumerate(["Before", "Each", "Each", "After"])
    ]
    assert [call["messageId"] for call in made] == ids


def test_256_calls_are_made_and_257_rejected(tmp_path: Path) -> None:
    mappings = load(tmp_path, FOR_EACH)
    made = calls(mappings, {"id": "u", "list": [*range(256)]})
    assert [call["traits"]["item"] for call in made] == [*range(256)]
    assert made[255]["messageId"] == IDS.for_record(TIME, "orders", 3, 42, "identify", "", 255)
    verdict = rejected(mappings, {"id": "u", "list": [*range(257)]})
    assert (verdict.reason, verdict.field) == ("TOO_MANY_CALLS", "for_each")
    for items, reason in ((254, None), (255, "TOO_MANY_CALLS"), (256, "TOO_MANY_CALLS")):
        found = mappings.explain(record({"kind": "several", "id": "u", "list": [{"id": "a"}] * items}), IDS)
        assert (found.rejected and found.rejected.reason) == reason


@pytest.mark.parametrize("items", ["text", {"a": 1}, 5, True])
def test_for_each_takes_lists_only(tmp_path: Path, items: Any) -> None:
    verdict = rejected(load(tmp_path, FOR_EACH), {"id": "u", "list": items})
    assert (verdict.reason, verdict.field) == ("EXPRESSION_FAILED", "for_each")
    assert verdict.at == f"{tmp_path}/orders.yaml:8:44"


def test_one_item_that_is_rejected_rejects_the_record_at_its_field(tmp_path: Path) -> None:
    event = {"kind": "several", "id": "o", "list": [{"id": "a"}, {"name": "b"}]}
    verdict = rejected(load(tmp_path, FOR_EACH), event)
    assert (verdict.reason, verdict.field, verdict.call_index) == ("MISSING_ID", "userId", 2)
    assert verdict.at == f"{tmp_path}/orders.yaml:6:44"


def test_of_items_only_what_is_used_is_decoded(tmp_path: Path) -> None:
    """Items are structs then; those that are no objects have no fields."""
    mappings = load(
        tmp_path,
        """
rules:
  - {call: track, event: E, userId: default($item.id, id), for_each: a.list, properties: {n: $item.b.n, at: a.at}}
""".replace("default($item.id, id)", "'default($item.id, id)'"),
    )
    items = [{"id": "a", "b": {"n": 1, "x": 2}}, {"b": 5}, 7, None, [{"id": "no"}], {"id": "c"}]
    made = calls(mappings, {"id": "u", "a": {"list": items, "at": 3}, "rest": [1]})
    assert [call["userId"] for call in made] == ["a", "u", "u", "u", "u", "c"]
    assert [call["properties"] for call in made] == [{"n": 1, "at": 3}] + [{"at": 3}] * 5


LETS = """
let:
  order: data.order || payload.order
  share: divide(order.total, order.parts)
  main: $order.main
rules:
  - when: kind == 'plain'
    call: track
    event: E
    userId: $order.id
    properties: {names: "$order.lines[?sku == $main].{name: name, of: $order.id}", share: "try($share, `0`)"}
  - when: kind == 'hidden'
    let: {main: "'other'", own: "concat($main, '/', $order.id)"}
    call: track
    event: E
    userId: $own
    messageId: $main
  - {when: kind == 'broken' && other, call: track, event: E, userId: id}
  - {when: kind == 'broken', call: track, event: E, userId: id, properties: {share: $share}}
"""


def test_names_are_used_in_projections_and_filters(tmp_path: Path) -> None:
    order = {
        "id": "o",
        "main": "tea",
        "lines": [{"sku": "tea", "name": "Tea"}, {"sku": "cup"}, 5, {"sku": "tea"}],
    }
    event = {"kind": "plain", "payload": {"order": order}, "order": {"total": 6, "parts": 0}}
    (call,) = calls(load(tmp_path, LETS), event)
    assert call["userId"] == "o"
    assert call["properties"] == {
        "names": [{"name": "Tea", "of": "o"}, {"name": None, "of": "o"}],
        "share": 0,
    }


def test_a_rules_name_hides_the_files_and_a_files_name_sees_only_the_files(tmp_path: Path) -> None:
    (call,) = calls(load(tmp_path, LETS), {"kind": "hidden", "data": {"order": {"id": "o", "main": "m"}}})
    assert call["userId"] == "other/o"
    assert call["messageId"] == IDS.for_event("other", "track", "E", 0)


def test_a_name_that_fails_does_so_where_it_is_used(tmp_path: Path) -> None:
    mappings = load(tmp_path, LETS)
    event = {"kind": "broken", "id": "u", "order": {"total": 1, "parts": 0}}
    verdict = rejected(mappings, event)
    assert (verdict.reason, verdict.field) == ("EXPRESSION_FAILED", "properties.share")
    assert calls(mappings, event | {"other": 1})[0]["userId"] == "u"


def test_an_expression_of_a_let_is_evaluated_at_most_once_for_a_record(tmp_path: Path) -> None:
    mappings = load(
        tmp_path,
        """
let: {name: lower(first)}
rules:
  - when: a && $name == 'x'
    ignore: true
  - when: b || $name == 'y'
    call: identify
    userId: $name
    traits: {one: $name, two: "list[?@ == $name]", three: "concat($name, '!')"}
""",
    )
    source = mappings.source("orders", IDS)
    assert source is not None
    assert source.count(".lower()") <= source.count(" is unset_") + 1
    event = {"a": 1, "first": "Y", "list": ["x", "y"]}
    assert calls(mappings, event)[0]["traits"] == {"one": "y", "two": ["y"], "three": "y!"}


DEFAULTS = """
defaults: {userId: customer.id, timestamp: at, properties: {a: a}, context: {ip: ip}}
rules:
  - when: kind == 'rule'
    userId: other.id
    messageId: event_id
    calls:
      - {call: track, event: Rules}
      - {call: track, event: Own, userId: own.id, properties: {b: b}}
      - {call: track, event: Nobody, userId: null, anonymousId: visitor, properties: null, context: null}
      - {call: identify, timestamp: null}
  - {call: track, event: Files, context: null, timestamp: null}
"""


def test_own_fields_win_over_the_rules_and_these_over_the_files(tmp_path: Path) -> None:
    event = {
        "kind": "rule",
        "customer": {"id": "file"},
        "other": {"id": "rule"},
        "own": {"id": "own"},
        "visitor": "v",
        "a": 1,
        "b": 2,
        "ip": "127.0.0.1",
        "at": "2026-11-21T10:00:00Z",
        "event_id": "e",
    }
    context, time = {"ip": "127.0.0.1"}, "2026-11-21T10:00:00.000Z"
    mappings = load(tmp_path, DEFAULTS)
    made = calls(mappings, event)
    assert [call.pop("messageId") for call in made] == [
        IDS.for_event("e", call["type"], call.get("event", ""), place) for place, call in enumerate(made)
    ]
    track = {"type": "track", "timestamp": time}
    assert made == [
        track | {"event": "Rules", "userId": "rule", "properties": {"a": 1}, "context": context},
        track | {"event": "Own", "userId": "own", "properties": {"b": 2}, "context": context},
        track | {"event": "Nobody", "anonymousId": "v"},
        {"type": "identify", "userId": "rule", "context": context},
    ]
    (call,) = calls(mappings, event | {"kind": "other"})
    assert call == {
        "type": "track",
        "event": "Files",
        "userId": "file",
        "properties": {"a": 1},
        "messageId": IDS.for_record(TIME, "orders", 3, 42, "track", "Files", 0),
    }


def test_a_default_person_counts_as_named_by_the_rule(tmp_path: Path) -> None:
    mappings = load(
        tmp_path,
        "defaults: {userId: customer.id}\nrules: [{call: group, groupId: id, traits: {a: a}}]\n",
    )
    verdict = rejected(mappings, {"id": "g"})
    assert (verdict.reason, verdict.field) == ("MISSING_ID", "userId")
    assert verdict.at == f"{tmp_path}/orders.yaml:2:20"


def test_a_tombstone_has_names_and_no_fields(tmp_path: Path) -> None:
    mappings = load(
        tmp_path,
        "let: {key: _kafka.key, id: id}\n"
        "rules: [{when: _kafka.tombstone, call: delete_user, userId: 'default($id, $key)'}]\n",
    )
    assert calls(mappings, None)[0]["userId"] == "key"


def test_a_converter_with_names_keeps_nothing_from_one_record_to_the_next(tmp_path: Path) -> None:
    mappings = load(tmp_path, LETS)
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    made: list[QueuedCall] = []
    refused: list[RejectedRecord] = []
    events = [{"kind": "plain", "data": {"order": {"id": name}}} for name in "abc"]
    events.insert(1, {"kind": "plain"})
    convert([record(event) for event in events], made, refused)
    assert [orjson.loads(call[1][:-1])["userId"] for call in made] == ["a", "b", "c"]
    assert [verdict.reason for _, verdict in refused] == ["MISSING_ID"]
