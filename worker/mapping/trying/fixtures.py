"""Mapping fixtures: events with the calls, or the rejection, that are expected of them.

Behind the command `test`:

    fixtures = read_fixtures(read_file(name), name)      # raises ConfigError
    results = [run_fixture(mappings, fixture) for fixture in fixtures]
    for result in results:
        print(result.fixture.at, result.fixture.name, "passed" if result.passed else result.diff)
    unused = coverage.rules_never_hit(mappings, results)         # over the results of all files
    Path(name).write_text(updated(source, results))              # --update
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from ruamel.yaml import YAML

from worker.core.near_matches import did_you_mean
from worker.core.timestamps import rfc3339
from worker.documents.document import Document, Path, parse
from worker.documents.problems import ConfigError, Problem
from worker.mapping.explaining import Explanation
from worker.mapping.expressions.equality import same
from worker.mapping.mappings import Mappings
from worker.mapping.trying.preview import PREVIEW_IDS, PreviewRecord, answer, outcome_of

DEFAULT_TIME = "2026-01-01T00:00:00.000Z"
"""The timestamp of a fixture's record that names none."""

_KEYS = ("name", "topic", "key", "headers", "timestamp", "event", "calls", "ignored", "rejected")
_OUTCOMES = ("calls", "ignored", "rejected")


@dataclass(frozen=True, slots=True)
class Fixture:
    """One event, and what is expected of it.

    Attributes:
        name: what it shows.
        at: `file:line`.
        index: its position in the file, from 0.
        record: the record that the event comes in.
        expected: `{"calls": [...]}`, `{"ignored": True}` or `{"rejected": REASON}`.
    """

    name: str
    at: str
    index: int
    record: PreviewRecord
    expected: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FixtureResult:
    """The result of running a fixture.

    Attributes:
        fixture: which.
        actual: what the mapping made of it, in the fixture's words.
        rule: the rule that matched, as `file:line`; None if none did.
        diff: how that differs from what is expected, line by line; empty if it does not.
        explanation: what becomes of its event.
    """

    fixture: Fixture
    actual: dict[str, Any]
    rule: str | None
    diff: str
    explanation: Explanation

    @property
    def outcome(self) -> str:
        """What becomes of the event, in words: `sent`, `ignored (no rule matched)`, `rejected with MISSING_ID`."""
        return outcome_of(self.explanation)

    @property
    def passed(self) -> bool:
        """Whether the mapping did what was expected."""
        return not self.diff


def read_fixtures(source: bytes | str, file: str) -> list[Fixture]:
    """The fixtures of one file.

    Raises:
        ConfigError: with every problem of the file.
    """
    document = parse(source, file)
    if not isinstance(document.data, list):
        raise ConfigError([document.problem("a fixture file is a list of fixtures", hint="- name: ...")])
    problems = [
        problem
        for index, given in enumerate(document.data)
        for problem in _problems(document, given, (index,))
    ]
    if problems:
        raise ConfigError(problems)
    return [_fixture(document, given, index) for index, given in enumerate(document.data)]


def _problems(document: Document, given: Any, path: Path) -> Iterable[Problem]:
    if not isinstance(given, dict):
        yield document.problem("a fixture is a mapping with `topic`, `event` and an outcome", path)
        return
    for key in given:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS) or f"it takes {', '.join(_KEYS)}"
            yield document.problem(f"a fixture has no key '{key}'", (*path, key), key=True, hint=hint)
    for key in ("topic", "event"):
        if key not in given:
            yield document.problem(f"`{key}` is missing", path)
    outcomes = [key for key in _OUTCOMES if key in given]
    if len(outcomes) != 1:
        hint = "one of calls: [...], ignored: true, rejected: REASON"
        yield document.problem("a fixture says what is expected exactly once", path, hint=hint)
    for key, (holds, what) in _TYPES.items():
        if key in given and not holds(given[key]):
            yield document.problem(f"`{key}` must be {what}", (*path, key))


def _is_time(value: Any) -> bool:
    try:
        rfc3339(value)
    except ValueError:
        return False
    return True


def millis_of(value: Any) -> int:
    """A fixture's `timestamp` as epoch milliseconds."""
    return round(datetime.fromisoformat(rfc3339(value)).timestamp() * 1000)


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str), "text"),
    "topic": (lambda value: isinstance(value, str), "text"),
    "key": (lambda _: True, "text, or what a key in JSON holds"),
    "headers": (
        lambda value: isinstance(value, dict) and all(isinstance(text, str) for text in value.values()),
        "names with texts",
    ),
    "timestamp": (_is_time, "RFC 3339 text or a whole number"),
    "event": (lambda value: value is None or isinstance(value, dict), "an object, or null for a tombstone"),
    "calls": (
        lambda value: isinstance(value, list) and all(isinstance(call, dict) for call in value),
        "a list of calls",
    ),
    "ignored": (lambda value: value is True, "true"),
    "rejected": (lambda value: isinstance(value, str), "a reason, such as MISSING_ID"),
}


def _fixture(document: Document, given: dict[str, Any], index: int) -> Fixture:
    line, _ = document.position((index,))
    key, event = given.get("key"), given["event"]
    record = PreviewRecord(
        given["topic"],
        None if event is None else orjson.dumps(event),
        key_bytes(key),
        [(name, text.encode()) for name, text in given.get("headers", {}).items()],
        millis_of(given.get("timestamp", DEFAULT_TIME)),
        made_up_time="timestamp" not in given,
    )
    expected = {outcome: given[outcome] for outcome in _OUTCOMES if outcome in given}
    return Fixture(
        given.get("name", f"fixture {index + 1}"), f"{document.file}:{line}", index, record, expected
    )


def key_bytes(key: Any) -> bytes | None:
    """The bytes of a record's key: text as it is, any other value as JSON."""
    if key is None:
        return None
    return key.encode() if isinstance(key, str) else orjson.dumps(key)


def run_fixture(mappings: Mappings, fixture: Fixture) -> FixtureResult:
    """Map a fixture's event and compare.

    Calls are compared whole except for `messageId`, and `timestamp` where the fixture leaves it out.
    """
    explanation = mappings.explain(fixture.record, PREVIEW_IDS)
    actual = answer(explanation)
    if "ignored" in actual:
        actual = {"ignored": True}
    elif "rejected" in actual:
        actual = {"rejected": actual["rejected"]["reason"]}
    else:
        actual = {"calls": _compared(actual["calls"], fixture.expected.get("calls", []))}
    wanted = dict(fixture.expected)
    if "calls" in wanted:
        wanted["calls"] = [_without(call, "messageId") for call in wanted["calls"]]
    diff = "" if same(wanted, actual) else _diff(wanted, actual)
    if unknown := mappings.unknown_topic(fixture.record.topic()):
        diff = unknown
    if diff and explanation.rejected:
        diff += f"\n{explanation.rejected.detail}"
    if diff and explanation.traceback:
        diff += f"\n{explanation.traceback.rstrip()}"
    return FixtureResult(fixture, actual, explanation.rule, diff, explanation)


def expected_outcome(fixture: Fixture) -> str:
    """What a fixture expects, in the words of `FixtureResult.outcome` as far as it says."""
    if "rejected" in fixture.expected:
        return f"rejected with {fixture.expected['rejected']}"
    return "ignored" if fixture.expected.get("ignored") or not fixture.expected["calls"] else "sent"


def updated(source: str, results: Sequence[FixtureResult]) -> str:
    """The text of a fixture file with what the mapping does today in place of what was expected.

    Only the outcomes of fixtures that did not pass are written anew.

    Args:
        source: the file's text.
        results: of this file's fixtures.

    Raises:
        ConfigError: an outcome does not begin a line of its own.
    """
    lines = source.splitlines(keepends=True)
    for result in sorted(results, key=lambda result: -result.fixture.index):
        if not result.passed:
            _replace_outcome(lines, parse(source, result.fixture.at.rpartition(":")[0]), result)
    return "".join(lines)


def _replace_outcome(lines: list[str], document: Document, result: FixtureResult) -> None:
    index = result.fixture.index
    given = document.data[index]
    (outcome,) = (key for key in _OUTCOMES if key in given)
    line, column = document.position((index, outcome), key=True)
    before = lines[line - 1][: column - 1]
    if before.strip(" -"):
        hint = "give the outcome a line of its own"
        raise ConfigError([document.problem("cannot be updated", (index, outcome), key=True, hint=hint)])
    starts = [document.position((index, key), key=True)[0] for key in given]
    starts += [document.position((index + 1,))[0]] if index + 1 < len(document.data) else [len(lines) + 1]
    end = min(start for start in starts if start > line)
    while end - 1 > line and not lines[end - 2].split("#")[0].strip():
        end -= 1
    lines[line - 1 : end - 1] = _written(result.actual, before)


def _written(actual: dict[str, Any], before: str) -> list[str]:
    """An outcome as YAML, behind what stands before it on its first line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # the library declares None only
    yaml.width = 100
    text = io.StringIO()
    yaml.dump(actual, text)
    indent = " " * len(before)
    return [
        f"{indent if number else before}{line}\n" for number, line in enumerate(text.getvalue().splitlines())
    ]


def _compared(calls: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls without what is not compared."""
    compared = [_without(call, "messageId") for call in calls]
    return [
        _without(call, "timestamp") if index < len(expected) and "timestamp" not in expected[index] else call
        for index, call in enumerate(compared)
    ]


def _without(call: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != key}


def _diff(wanted: dict[str, Any], actual: dict[str, Any]) -> str:
    """Both as JSON with sorted keys, line by line: `-` was expected, `+` is what came."""
    before, after = (
        json.dumps(side, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
        for side in (wanted, actual)
    )
    return "\n".join(difflib.unified_diff(before, after, "expected", "actual", lineterm=""))
