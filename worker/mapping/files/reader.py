"""Reads a mapping file's plain values into rules, and reports all problems at once.

    file = read_mapping(parse(text, "config/mappings/orders.yaml"), problems)

Problems are appended to `problems`. The parts that could be read are returned all the same, so that later checks can
find more problems.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.core.records import MAX_CALLS_PER_RECORD
from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.formats.envelopes.envelopes import ENVELOPES, NONE, envelope_of
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.formats import FORMATS
from worker.formats.keys import KEY_FORMATS
from worker.mapping.calls.specs import CALLS
from worker.mapping.calls.validation import REJECT_IDS
from worker.mapping.files.call_reader import CallReader
from worker.mapping.files.rules import CallRule, MappingFile, Rule
from worker.mapping.files.schema import CALL_KEYS, FILE_KEYS, RULE_KEYS
from worker.mapping.files.topics import topic_problem


def read_mapping(document: Document, problems: list[Problem]) -> MappingFile | None:
    """Read one mapping file; None if it is not a mapping at all."""
    return _FileReader(document, problems).file()


class _FileReader:
    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self._document = document
        self._problems = problems
        self._calls = CallReader(document, problems)

    def file(self) -> MappingFile | None:
        data = self._document.data
        if not isinstance(data, dict):
            self._report("a mapping file holds `topics` and `rules`", ())
            return None
        self._known_keys(data, (), FILE_KEYS, "a mapping file")
        for key in ("topics", "rules"):
            if key not in data:
                self._report(f"`{key}` is missing", ())
        envelope = self._envelope(data)
        self._calls.envelope = envelope
        send_nulls = self._choice(data, ("nulls",), ("omit", "send")) == "send"
        return MappingFile(
            self._document,
            tuple(self._topics(data.get("topics", []))),
            tuple(self._rules(data.get("rules", []), send_nulls=send_nulls)),
            self._choice(data, ("unmatched",), ("ignore", "dead_letter")) == "dead_letter",
            self._reject_ids(data),
            self._choice(data, ("format",), tuple(FORMATS)) or "json",
            envelope,
            self._key_format(data, envelope),
        )

    def _envelope(self, data: dict[str, Any]) -> Envelope | None:
        word = self._choice(data, ("envelope",), ENVELOPES) or NONE
        snapshot = self._choice(data, ("snapshot",), ("ignore", "send"))
        if "snapshot" in data and word != "debezium":
            hint = "envelope: debezium" if word == NONE else "remove it"
            self._report("`snapshot` is only for `envelope: debezium`", ("snapshot",), key=True, hint=hint)
        return envelope_of(word, send_snapshots=snapshot == "send")

    def _key_format(self, data: dict[str, Any], envelope: Envelope | None) -> str | None:
        given: str | None = self._choice(data, ("key_format",), tuple(KEY_FORMATS))
        if (
            given is None
            and envelope is not None
            and envelope.json_keys
            and data.get("format", "json") == "json"
        ):
            return "json"
        return given

    def _topics(self, topics: Any) -> Iterator[str]:
        if not isinstance(topics, list) or not ("topics" in self._document.data and topics):
            if "topics" in self._document.data:
                self._report("`topics` must be a list of at least one topic", ("topics",), hint="[orders]")
            return
        for index, topic in enumerate(topics):
            path: Path = ("topics", index)
            if not isinstance(topic, str):
                self._report("a topic must be text", path, hint="put it in quotes")
            elif topic in topics[:index]:
                self._report(f"the topic '{topic}' is duplicated", path)
            elif problem := topic_problem(topic):
                self._report(problem[0], path, hint=problem[1])
            else:
                yield topic

    def _reject_ids(self, data: dict[str, Any]) -> frozenset[str]:
        given = data.get("reject_ids")
        if "reject_ids" not in data:
            return REJECT_IDS
        if not isinstance(given, list):
            self._report("`reject_ids` must be a list of texts", ("reject_ids",), hint="['null', undefined]")
            return REJECT_IDS
        for index, text in enumerate(given):
            if not isinstance(text, str):
                self._report("must be text", ("reject_ids", index), hint="put it in quotes: 'null'")
        return frozenset(text.strip().casefold() for text in given if isinstance(text, str))

    def _rules(self, rules: Any, *, send_nulls: bool) -> Iterator[Rule]:
        if not isinstance(rules, list) or (not rules and "rules" in self._document.data):
            self._report("`rules` must be a list of at least one rule", ("rules",))
            return
        for index, rule in enumerate(rules):
            path: Path = ("rules", index)
            if isinstance(rule, dict):
                yield self._rule(rule, path, send_nulls=send_nulls)
            else:
                self._report("a rule must be a mapping", path, hint="when: ..., call: ...")

    def _rule(self, rule: dict[str, Any], path: Path, *, send_nulls: bool) -> Rule:
        line, _ = self._document.position(path)
        calls, mapper, allow = self._does(rule, path)
        nulls = self._choice(rule, (*path, "nulls"), ("omit", "send"))
        return Rule(
            f"{self._document.file}:{line}",
            path,
            self._when(rule, path),
            calls,
            mapper,
            allow,
            send_nulls if nulls is None else nulls == "send",
        )

    def _when(self, rule: dict[str, Any], path: Path) -> Any:
        if "when" not in rule:
            return None
        if isinstance(rule["when"], str):
            return self._calls.expression((*path, "when"))
        hint = "leave `when` out to match everything but tombstones"
        self._report("`when` must be an expression", (*path, "when"), hint=hint)
        return None

    def _does(
        self, rule: dict[str, Any], path: Path
    ) -> tuple[tuple[CallRule, ...], str | None, frozenset[str]]:
        """Read what the rule does: its calls, or its mapper and the calls that the mapper may make."""
        kinds = [key for key in ("call", "calls", "mapper") if key in rule]
        if len(kinds) != 1:
            found = " and ".join(f"`{kind}`" for kind in kinds)
            message = f"{found} exclude each other" if found else "a rule needs `call`, `calls` or `mapper`"
            self._unknown_keys(rule, path)
            self._report(message, (*path, kinds[1]) if kinds else path, key=bool(kinds))
            return (), None, frozenset()
        if kinds != ["mapper"] and "allow" in rule:
            self._report(
                "`allow` is only for rules with a `mapper`", (*path, "allow"), key=True, hint="remove it"
            )
        if kinds == ["call"]:
            return self._one_call(rule, path), None, frozenset()
        self._only_rule_keys(rule, path, kinds[0])
        if kinds == ["mapper"]:
            return (), self._mapper(rule, path), self._allow(rule, path)
        return tuple(self._call_list(rule["calls"], (*path, "calls"))), None, frozenset()

    def _one_call(self, rule: dict[str, Any], path: Path) -> tuple[CallRule, ...]:
        call = self._calls.call(rule, path, others=RULE_KEYS)
        return (call,) if call else ()

    def _call_list(self, calls: Any, path: Path) -> Iterator[CallRule]:
        if not isinstance(calls, list) or not calls:
            self._report("`calls` must be a list of at least one call", path)
            return
        if len(calls) > MAX_CALLS_PER_RECORD:
            self._report(f"one record may become at most {MAX_CALLS_PER_RECORD} calls", path)
        for index, given in enumerate(calls):
            at: Path = (*path, index)
            if not isinstance(given, dict) or "call" not in given:
                self._report("each of `calls` must be a mapping with `call`", at, hint="- call: identify")
            elif call := self._calls.call(given, at):
                yield call

    def _mapper(self, rule: dict[str, Any], path: Path) -> str | None:
        if isinstance(rule["mapper"], str) and rule["mapper"].strip():
            return rule["mapper"].strip()
        self._report(
            "`mapper` must name a function", (*path, "mapper"), hint="mapper: package.module:function"
        )
        return None

    def _allow(self, rule: dict[str, Any], path: Path) -> frozenset[str]:
        allow = rule.get("allow", [])
        if not isinstance(allow, list):
            self._report("`allow` must be a list of calls", (*path, "allow"), hint="[delete_device]")
            return frozenset()
        for index, name in enumerate(allow):
            if not isinstance(name, str) or name not in CALLS:
                hint = did_you_mean(str(name), CALLS) or f"one of {', '.join(CALLS)}"
                self._report(f"there is no call '{name}'", (*path, "allow", index), hint=hint)
        return frozenset(name for name in allow if isinstance(name, str))

    def _only_rule_keys(self, rule: dict[str, Any], path: Path, kind: str) -> None:
        """With `calls` or `mapper`, a rule must not have the keys of a call."""
        for key in rule:
            if key in CALL_KEYS and key not in RULE_KEYS:
                hint = (
                    "put it into each call that needs it"
                    if kind == "calls"
                    else "the Python function decides it"
                )
                self._report(f"`{key}` cannot be combined with `{kind}`", (*path, key), key=True, hint=hint)
        self._unknown_keys(rule, path)

    def _unknown_keys(self, rule: dict[str, Any], path: Path) -> None:
        self._known_keys(rule, path, {**RULE_KEYS, **CALL_KEYS}, "a rule")

    def _known_keys(self, given: dict[str, Any], path: Path, known: Collection[str], what: str) -> None:
        for key in given:
            if key not in known:
                hint = did_you_mean(key, known) or f"it takes {', '.join(known)}"
                self._report(f"{what} has no key '{key}'", (*path, key), key=True, hint=hint)

    def _choice(self, given: dict[str, Any], path: Path, choices: tuple[str, ...]) -> Any:
        """The value of a key that takes one of several words; None if it is absent or wrong."""
        key = path[-1]
        if key not in given:
            return None
        chosen = given[str(key)]
        if chosen in choices:
            return chosen
        said = f"'{chosen}'" if isinstance(chosen, str) else "this"
        hint = did_you_mean(chosen, choices) if isinstance(chosen, str) else None
        self._report(f"`{key}` is {' or '.join(choices)}, not {said}", path, hint=hint)
        return None

    def _report(self, message: str, path: Path, *, key: bool = False, hint: str | None = None) -> None:
        self._problems.append(self._document.problem(message, path, key=key, hint=hint))
