"""Dry runs and fixtures: the logic behind `map` and `test`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.records import record
from worker.documents.problems import ConfigError
from worker.mapping.expressions.equality import same
from worker.mapping.mappings import Mappings
from worker.mapping.trying.coverage import rules_never_hit
from worker.mapping.trying.fixtures import (
    FixtureResult,
    read_fixtures,
    run_fixture,
    updated,
)
from worker.mapping.trying.preview import map_event

RULES = """
topics: [orders]
rules:
  - when: type == 'done'
    call: track
    event: Thing Done
    userId: id
    properties: {n: n, all: list}
  - when: type == 'gone'
    call: delete_user
    userId: id
"""


@pytest.fixture
def mappings(tmp_path: Path) -> Mappings:
    (tmp_path / "orders.yaml").write_text(RULES)
    return Mappings.load(["orders.yaml"], mapper_path=[], base=tmp_path, dead_letter_topic="dead")


def run(mappings: Mappings, text: str) -> list[FixtureResult]:
    return [run_fixture(mappings, fixture) for fixture in read_fixtures(text, "f.yaml")]


def test_an_event_becomes_calls_or_is_ignored_or_rejected(mappings: Mappings) -> None:
    (call,) = map_event(mappings, record({"type": "done", "id": "u", "n": 1}))["calls"]
    assert call.keys() == {"type", "userId", "event", "properties", "timestamp", "messageId"}
    assert map_event(mappings, record({"type": "other"})) == {"ignored": "no rule matched"}
    assert map_event(mappings, record({"type": "done"}))["rejected"].keys() == {"stage", "reason", "detail"}
    assert map_event(mappings, record(b"{"))["rejected"]["stage"] == "decode"


PASSING = """
- name: done
  topic: orders
  event: {type: done, id: u, n: 1}
  calls: [{type: track, userId: u, event: Thing Done, properties: {n: 1}}]
- topic: orders
  timestamp: 1763719200
  event: {type: done, id: u}
  calls:
    - {type: track, userId: u, event: Thing Done, properties: {}, timestamp: "2025-11-21T10:00:00.000Z", messageId: x}
- topic: orders
  event: {type: other}
  ignored: true
- topic: orders
  event: {type: gone, id: "null"}
  rejected: FORBIDDEN_ID
- topic: orders
  event: null
  ignored: true
"""


def test_fixtures_compare_whole_calls_except_for_ids_and_unsaid_times(mappings: Mappings) -> None:
    assert [result.diff for result in run(mappings, PASSING)] == [""] * 5


def test_a_fixture_that_differs_shows_how(mappings: Mappings) -> None:
    (result,) = run(mappings, PASSING.replace("properties: {n: 1}", "properties: {n: 2}").split("- topic")[0])
    assert not result.passed
    assert '-        "n": 2' in result.diff
    assert '+        "n": 1' in result.diff
    assert result.fixture.at == "f.yaml:2"


def test_an_unexpected_rejection_says_why(mappings: Mappings) -> None:
    (result,) = run(mappings, "- {topic: orders, event: {type: done}, ignored: true}\n")
    assert "userId is missing" in result.diff


def test_rules_that_no_fixture_reaches_are_reported(mappings: Mappings, tmp_path: Path) -> None:
    results = run(mappings, PASSING.split("- topic", maxsplit=1)[0])
    assert rules_never_hit(mappings, results) == [f"{tmp_path}/orders.yaml:9"]
    assert rules_never_hit(mappings, run(mappings, PASSING)) == []


CHANGED = """# kept
- name: done
  topic: orders
  calls:
    # an old expectation
    - {type: track}

  # about the event
  event: {type: done, id: u, n: 1}   # kept too

- topic: orders
  event: {type: other}
  rejected: SOMETHING
# between
- ignored: true
  topic: orders
  event: {type: gone, id: u}
"""


def test_an_update_writes_today_s_outcomes_and_nothing_else(mappings: Mappings) -> None:
    new = updated(CHANGED, run(mappings, CHANGED))
    assert [result.passed for result in run(mappings, new)] == [True, True, True]
    for kept in (
        "# kept\n",
        "\n  # about the event\n",
        "# kept too\n",
        "# between\n",
        "  event: {type: gone, id: u}\n",
    ):
        assert kept in new
    assert updated(new, run(mappings, new)) == new


def test_an_outcome_in_the_middle_of_a_line_cannot_be_updated(mappings: Mappings) -> None:
    text = "- {topic: orders, event: {type: other}, calls: []}\n"
    with pytest.raises(ConfigError, match=r"f\.yaml:1:41: cannot be updated"):
        updated(text, run(mappings, text))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1", "1:1", "a list of fixtures"),
        ("- 7", "1:3", "a fixture is a mapping"),
        ("- {topic: t, ignored: true}", "1:3", "`event` is missing"),
        ("- {topic: t, event: {}}", "1:3", "exactly once"),
        ("- {topic: t, event: {}, calls: [], ignored: true}", "1:3", "exactly once"),
        ("- {topic: t, event: {}, ignored: false}", "1:34", "must be true"),
        ("- {topic: t, event: [], ignored: true}", "1:21", "must be an object"),
        ("- {topic: t, event: {}, call: []}", "1:25", "did you mean 'calls'?"),
        ("- {topic: t, event: {}, ignored: true, timestamp: now}", "1:51", "RFC 3339"),
        ("- {topic: t, event: {}, ignored: true, headers: {a: 1}}", "1:49", "names with texts"),
    ],
)
def test_an_invalid_fixture_file_is_reported_with_its_position(text: str, place: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_fixtures(text, "f.yaml")
    assert any(
        str(problem).startswith(f"f.yaml:{place}:") and message in str(problem)
        for problem in raised.value.problems
    )


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        ([], {}, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": 0}, {"a": False}, False),
        (None, 0, False),
    ],
)
def test_json_values_are_equal_by_meaning(one: Any, other: Any, equal: bool) -> None:  # noqa: FBT001 - a column of the table
    assert same(one, other) is equal
