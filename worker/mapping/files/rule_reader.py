"""Reads one rule of a mapping file into a `Rule`, and reports all problems."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.core.records import MAX_CALLS_PER_RECORD
from worker.customerio.reference import ALLOW_UNINSTALLED, RESERVED_PROPERTIES
from worker.documents.document import Path
from worker.mapping.calls.specs import CALLS
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.call_reader import CallReader
from worker.mapping.files.defaults import FIELDS, Defaults
from worker.mapping.files.keys import known_keys, one_of_words
from worker.mapping.files.lets import read_lets
from worker.mapping.files.rules import CallRule, Rule
from worker.mapping.files.schema import CALL_KEYS, RULE_KEYS
from worker.mapping.files.value_reader import ValueReader

_BESIDE_IGNORE = ("when", "let", "ignore")


class RuleReader:
    """Reads one rule.

    Args:
        rule: its plain values.
        path: its path.
        values: reads expressions that can use the file's names.
        defaults: the file's.
    """

    def __init__(self, rule: dict[str, Any], path: Path, values: ValueReader, defaults: Defaults) -> None:
        self._given = rule
        self._path = path
        self._lets = read_lets(rule["let"], (*path, "let"), values) if "let" in rule else {}
        self._values = values.with_lets(self._lets)
        self._defaults = defaults
        self._report = self._values.report

    def rule(self, *, send_nulls: bool) -> Rule:
        """Read it; `send_nulls` is what the file says."""
        document = self._values.document
        line, _ = document.position(self._path)
        calls, mapper, allow = self._does()
        nulls = one_of_words(self._values, self._given, (*self._path, "nulls"), ("omit", "send"))
        return Rule(
            f"{document.file}:{line}",
            self._path,
            self._when(),
            {name: let for name, let in self._lets.items() if let is not None},
            "ignore" in self._given,
            calls,
            mapper,
            allow,
            send_nulls if nulls is None else nulls == "send",
        )

    def _when(self) -> Expression | None:
        if "when" not in self._given:
            return None
        if isinstance(self._given["when"], str):
            return self._values.expression((*self._path, "when"))
        hint = _comparison(self._given["when"]) or "leave `when` out to match everything but tombstones"
        self._report("`when` must be an expression", (*self._path, "when"), hint=hint)
        return None

    def _does(self) -> tuple[tuple[CallRule, ...], str | None, frozenset[str]]:
        """Read what the rule does: its calls, or its mapper and the calls that the mapper may make."""
        rule, path = self._given, self._path
        kinds = [key for key in ("call", "calls", "mapper", "ignore") if key in rule]
        if len(kinds) != 1:
            found = " and ".join(f"`{kind}`" for kind in kinds)
            message = "a rule needs `call`, `calls`, `mapper` or `ignore`"
            message = f"{found} exclude each other" if found else message
            if not {"call", "calls", "mapper", "ignore"} & self._unknown_keys():
                self._report(message, (*path, kinds[1]) if kinds else path, key=bool(kinds))
            return (), None, frozenset()
        if kinds == ["ignore"]:
            self._ignore()
            return (), None, frozenset()
        allow = self._words("allow", (*CALLS, ALLOW_UNINSTALLED), "call")
        allow |= self._words("allow_overrides", RESERVED_PROPERTIES, "reserved property")
        if kinds != ["call"]:
            self._unknown_keys()
        if kinds == ["mapper"]:
            self._refuse(CALL_KEYS.keys() - RULE_KEYS.keys(), "mapper", "the Python function decides it")
            return (), self._mapper(), allow
        calls = self._one_call(allow) if kinds == ["call"] else tuple(self._calls(allow))
        self._check_allow(calls)
        return calls, None, frozenset()

    def _check_allow(self, calls: tuple[CallRule, ...]) -> None:
        """Without a mapper, `allow` has a meaning only for a computed `Application Uninstalled`."""
        if "allow" not in self._given:
            return
        computed = any(call.event_from is not None for call in calls)
        if self._given["allow"] != [ALLOW_UNINSTALLED] or not computed:
            message = (
                f"`allow` is only for rules with a `mapper`; [{ALLOW_UNINSTALLED}] also with `event_from`"
            )
            self._report(message, (*self._path, "allow"), key=True, hint="remove it")

    def _ignore(self) -> None:
        self._unknown_keys()
        self._refuse({*RULE_KEYS, *CALL_KEYS} - {*_BESIDE_IGNORE}, "ignore", "events that match make no call")
        if self._given["ignore"] is not True:
            self._report(
                "`ignore` can only be true", (*self._path, "ignore"), hint="remove the rule, or the key"
            )

    def _one_call(self, allow: frozenset[str]) -> tuple[CallRule, ...]:
        reader = CallReader(self._values, self._defaults, allow)
        call = reader.call(self._given, self._path, others=RULE_KEYS)
        return (call,) if call else ()

    def _calls(self, allow: frozenset[str]) -> Iterator[CallRule]:
        path: Path = (*self._path, "calls")
        calls = self._given["calls"]
        defaults = self._shared()
        if not isinstance(calls, list) or not calls:
            self._report("`calls` must be a list of at least one call", path)
            return
        if len(calls) > MAX_CALLS_PER_RECORD:
            self._report(f"one record may become at most {MAX_CALLS_PER_RECORD} calls", path)
        self._check_shared(calls)
        reader = CallReader(self._values, defaults, allow)
        for index, given in enumerate(calls):
            at: Path = (*path, index)
            if not isinstance(given, dict) or "call" not in given:
                self._report("each of `calls` must be a mapping with `call`", at, hint="- call: identify")
            elif call := reader.call(given, at):
                yield call

    def _shared(self) -> Defaults:
        """The fields beside `calls`, which each of them has unless it gives its own."""
        self._refuse(
            CALL_KEYS.keys() - RULE_KEYS.keys() - FIELDS.keys(),
            "calls",
            "put it into each call that needs it",
        )
        shared = {name: value for name, value in self._given.items() if name in FIELDS}
        return self._defaults.read(shared, self._path, self._values)

    def _check_shared(self, calls: list[Any]) -> None:
        """Warn of a field beside `calls` that none of them has."""
        words = [call.get("call") for call in calls if isinstance(call, dict)]
        names = [word for word in words if isinstance(word, str) and word in CALLS]
        known = {name for call in names for name in CALLS[call].fields}
        for name in self._given:
            if names and name in FIELDS and name not in known:
                message = f"none of these `calls` has a field `{name}`"
                path = (*self._path, name)
                document = self._values.document
                problem = document.problem(message, path, key=True, hint="remove it", warning=True)
                self._values.problems.append(problem)

    def _refuse(self, keys: set[str], kind: str, hint: str) -> None:
        """Report keys that cannot stand beside what the rule does."""
        for key in self._given:
            if key in keys:
                message = f"`{key}` cannot be combined with `{kind}`"
                self._report(message, (*self._path, key), key=True, hint=hint)

    def _mapper(self) -> str | None:
        mapper = self._given["mapper"]
        if isinstance(mapper, str) and mapper.strip():
            return mapper.strip()
        hint = "mapper: package.module:function"
        self._report("`mapper` must name a function", (*self._path, "mapper"), hint=hint)
        return None

    def _words(self, key: str, known: Collection[str], what: str) -> frozenset[str]:
        """A key that holds a list of words, each of them one of `known`."""
        given, path = self._given.get(key, []), (*self._path, key)
        if not isinstance(given, list):
            hint = "[delete_device]" if key == "allow" else "[recipient]"
            self._report(f"`{key}` must be a list", path, hint=hint)
            return frozenset()
        for index, name in enumerate(given):
            if not isinstance(name, str) or name not in known:
                hint = did_you_mean(str(name), known) or f"one of {', '.join(known)}"
                self._report(f"there is no {what} '{name}'", (*path, index), hint=hint)
        return frozenset(name for name in given if isinstance(name, str))

    def _unknown_keys(self) -> set[str]:
        """Report keys that rules do not have; returns those that were probably meant by them."""
        return known_keys(self._values, self._given, self._path, {**RULE_KEYS, **CALL_KEYS}, "a rule")


def _comparison(when: Any) -> str | None:
    """`when: {type: order.paid}` as an expression."""
    if not isinstance(when, dict) or not all(isinstance(value, str) for value in when.values()):
        return None
    return 'write "' + " && ".join(f"{name} == '{value}'" for name, value in when.items()) + '"'
