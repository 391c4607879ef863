"""Many rules that compare one field with different texts are one look-up, with the outcome of rule after rule."""

from __future__ import annotations

import gc
import linecache
import weakref
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.records import record, run
from worker.core.message_id import MessageIds
from worker.core.records import BODY, RULE, QueuedCall, RejectedRecord
from worker.mapping.compiler.look_up import LEAST_RULES
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PreviewRecord

IDS = MessageIds("cluster")


def load(folder: Path, text: str) -> Mappings:
    (folder / "orders.yaml").write_text(f"topics: [orders]\n{text}")
    return Mappings.load(
        [str(folder / "orders.yaml")],
        mapper_path=[str(folder)],
        base=folder,
        dead_letter_topic="dead-letters",
    )


def kinds(numbers: range) -> str:
    return "".join(
        f"  - {{when: type == 'kind.{n}', call: track, event: Kind {n}, userId: id}}\n" for n in numbers
    )


def events_made(mappings: Mappings, *events: Any) -> tuple[list[str], list[str], int]:
    """The event names of the calls, the reasons of the rejections, the number of ignored records."""
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    calls, rejected, ignored = run(convert, [record(event) for event in events])
    names = [orjson.loads(call[BODY][:-1])["event"] for call in calls]
    return names, [verdict.reason for _, verdict in rejected], ignored


@pytest.mark.slow
def test_a_thousand_rules_are_one_look_up(tmp_path: Path) -> None:
    mappings = load(tmp_path, "rules:\n" + kinds(range(1000)))
    source = mappings.source("orders", IDS)
    assert source is not None
    converter = source.partition("def handle_0(")[0]
    assert converter.count("handle(record, event, calls, rejected") == 1
    assert "'kind." not in converter
    asked = [{"type": f"kind.{n}", "id": "u"} for n in (0, 999, 500)]
    found = events_made(mappings, *asked, {"type": "kind.1000", "id": "u"}, {"type": ["kind.1"]}, {"type": 1})
    assert found == (["Kind 0", "Kind 999", "Kind 500"], [], 3)


RULES = f"""
unmatched: dead_letter
let: {{name: lower(type)}}
rules:
{kinds(range(10))}
  - {{when: vip, call: track, event: Vip, userId: id}}
{kinds(range(5, 20))}
  - {{when: type == 'kind.20' || type == 'kind.1', ignore: true}}
  - {{when: type == 'kind.21', call: track, event: Each, for_each: list, userId: $item}}
  - {{when: type == 'kind.22', mapper: 'mapping:nothing'}}
  - {{when: type == 'kind.23', call: track, event: Fails, userId: id, properties: {{x: 'divide(`1`, `0`)'}}}}
  - {{when: $name == 'kind.24', call: track, event: Named, userId: id}}
  - {{when: "type == 'kind.25'", call: track, event: Last, userId: $name}}
"""


def test_the_first_rule_that_matches_wins_whatever_is_between(tmp_path: Path) -> None:
    (tmp_path / "mapping.py").write_text("def nothing(event):\n    return None\n")
    mappings = load(tmp_path, RULES)
    plain = [{"type": f"kind.{n}", "id": "u"} for n in (3, 7, 15, 1, 25)]
    assert events_made(mappings, *plain)[0] == ["Kind 3", "Kind 7", "Kind 15", "Kind 1", "Last"]
    vip = [{"type": f"kind.{n}", "id": "u", "vip": True} for n in (3, 15, 25, 99)]
    assert events_made(mappings, *vip)[0] == ["Kind 3", "Vip", "Vip", "Vip"]
    assert events_made(mappings, {"type": "KIND.24", "id": "u"}, {"type": "kind.24", "id": "u"})[0] == [
        "Named",
        "Named",
    ]
    others = [{"type": "kind.20"}, {"type": "kind.21", "list": ["a", "b"]}, {"type": "kind.22"}]
    assert events_made(mappings, *others) == (["Each", "Each"], [], 2)
    assert events_made(mappings, {"type": "kind.23", "id": "u"}, {"type": "kind.99"}, None) == (
        [],
        ["EXPRESSION_FAILED", "UNMATCHED", "UNMATCHED"],
        0,
    )


MORE = """
rules:
  - {when: type == 'a' && vip, call: track, event: A1, userId: id}
  - {when: "type == 'a' && age > `17` && name", call: track, event: A2, userId: id}
  - {when: new, call: track, event: New, userId: id}
  - {when: "(type == 'a' || type == 'b') && divide(`1`, zero) > `0`", call: track, event: AB, userId: id}
  - {when: "type == 'a' && lower(name) == 'ada'", ignore: true}
  - {when: type == 'b', call: track, event: B, userId: id}
"""


def test_rules_may_ask_for_more_than_the_text(tmp_path: Path) -> None:
    mappings = load(tmp_path, MORE + kinds(range(20)))
    source = mappings.source("orders", IDS)
    assert source is not None
    assert source.partition("def handle_0(")[0].count("= handle(record, event") == 2
    assert "def handle_4(" in source
    base = {"type": "a", "id": "u"}
    events = [
        base | {"vip": True},
        base | {"age": 18, "name": "Ada"},
        base | {"age": "old", "name": "Ada", "new": 1},
        base | {"zero": 2},
        base | {"name": "ADA"},
        base | {"name": "Eve"},
        base | {"zero": 0},
        {"type": "b", "id": "u"},
        {"type": "kind.3", "id": "u"},
        {"type": "kind.3", "id": "u", "new": 1},
    ]
    names, reasons, ignored = events_made(mappings, *events)
    assert names == ["A1", "A2", "New", "AB", "B", "Kind 3", "New"]
    assert (reasons, ignored) == (["EXPRESSION_FAILED"], 2)


def test_explain_names_the_rule_and_the_field(tmp_path: Path) -> None:
    (tmp_path / "mapping.py").write_text("def nothing(event):\n    return None\n")
    mappings = load(tmp_path, RULES)
    lines = (tmp_path / "orders.yaml").read_text().splitlines()
    at = {text: f"{tmp_path}/orders.yaml:{n}" for n, text in enumerate(lines, 1)}

    def rule(part: str) -> str:
        return next(place for text, place in at.items() if part in text)

    ignored = mappings.explain(record({"type": "kind.20"}), IDS)
    assert (ignored.rule, ignored.ignored) == (rule("ignore"), f"ignored by {rule('ignore')}")
    nothing = mappings.explain(record({"type": "kind.22"}), IDS)
    assert (nothing.rule, nothing.ignored) == (rule("mapper"), "the mapper returned nothing")
    refused = mappings.explain(record({"type": "kind.23", "id": "u"}), IDS).rejected
    assert refused is not None
    assert (refused.rule, refused.field, refused.call_index) == (rule("Fails"), "properties.x", 0)
    each = mappings.explain(record({"type": "kind.21", "list": ["a", ""]}), IDS).rejected
    assert each is not None
    assert (each.rule, each.field, each.call_index) == (rule("Each"), "userId", 1)


def test_a_rule_that_matched_is_reported_as_such(tmp_path: Path) -> None:
    (tmp_path / "mapping.py").write_text("def nothing(event):\n    return None\n")
    without_call: list[str] = []
    mappings = load(tmp_path, RULES)
    convert = mappings.converter("orders", IDS, on_no_call=without_call.append)
    assert convert is not None
    calls: list[QueuedCall] = []
    convert([record({"type": f"kind.{n}", "id": "u"}) for n in (20, 22, 5)], calls, [])
    rules = mappings.conditional_rules("orders")
    assert without_call == [rules[26], rules[28]]
    assert [call[RULE] for call in calls] == [rules[5]]


def test_an_unexpected_fault_in_a_rules_function_is_located(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mappings = load(tmp_path, "rules:\n" + kinds(range(20)))
    of = record({"type": "kind.7", "id": "u"})

    def broken(*_: Any) -> bytes:
        raise KeyError("bug")

    monkeypatch.setattr("worker.mapping.compiler.calls.encode", broken)
    verdict = mappings.explain(of, IDS).rejected
    assert verdict is not None
    assert verdict.reason == "UNEXPECTED_FAULT"
    assert any(f"rule {tmp_path}/orders.yaml:10>" in name for name in linecache.cache)


def test_a_record_that_no_rule_asks_for_is_ignored_whatever_its_timestamp(tmp_path: Path) -> None:
    convert = load(tmp_path, "rules:\n" + kinds(range(20))).converter("orders", IDS)
    assert convert is not None
    rejected: list[RejectedRecord] = []
    assert convert([record({"type": "other", "id": "u"}, millis=10**17)], [], rejected) == 1
    assert not rejected


def test_an_invalid_time_rejects_only_records_of_which_a_rule_needs_it(tmp_path: Path) -> None:
    ignored = "  - {when: type == 'other', ignore: true}\n"
    timed = "  - {when: type == 'timed', call: track, event: Timed, userId: id, timestamp: at}\n"
    mappings = load(tmp_path, "rules:\n" + ignored + timed + kinds(range(LEAST_RULES)))
    convert = mappings.converter("orders", IDS)
    assert convert is not None
    events = [
        {"type": "other"},
        {"type": "timed", "id": "u", "at": 1_763_719_200},
        {"type": "kind.1", "id": "u"},
    ]
    calls, rejected, ignored_records = run(convert, [record(event, millis=10**17) for event in events])
    assert [orjson.loads(call[BODY][:-1])["event"] for call in calls] == ["Timed"]
    assert [(verdict.reason, verdict.rule) for _, verdict in rejected] == [
        ("INVALID_TIMESTAMP", f"{tmp_path}/orders.yaml:6")
    ]
    assert ignored_records == 1


def test_an_invalid_time_that_no_rule_needs_does_not_keep_the_run_alive(tmp_path: Path) -> None:
    mappings = load(
        tmp_path, "rules:\n  - {when: type == 'other', ignore: true}\n" + kinds(range(LEAST_RULES))
    )
    convert = mappings.converter("orders", IDS)
    assert convert is not None

    class Watched(PreviewRecord):
        """A record that can be referred to weakly."""

    of = Watched("orders", b'{"type": "other"}', millis=10**17)
    alive = weakref.ref(of)
    gc.disable()
    try:
        ignored = convert([of], [], [])
        del of
        assert (ignored, alive()) == (1, None)
    finally:
        gc.enable()
