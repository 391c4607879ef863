"""`map --explain`: how each rule and field treats a record, unmasked: it is the user's own terminal."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import typer

from worker.cli.lines import print_line
from worker.cli.verdicts import Outcomes, print_outcome, print_record
from worker.core.printable import printable
from worker.customerio.advice import Remark, call_time, remarks
from worker.mapping.trying.missing import type_of
from worker.mapping.trying.steps import steps_of

if TYPE_CHECKING:
    from worker.cli.verdicts import MappedRecords
    from worker.mapping.trying.steps import Condition, FieldValue, Found, Steps, TriedRule

_OLD_UPDATE_SECONDS = 86_400.0
"""From this age on an update of a profile is remarked: as `dlq replay --stale-after`."""

_OLD_UPDATE = "over a day old: changes nothing if the profile has seen a later update"

_MAX_CHARS = 300
"""The most characters of a value that are printed. A longer one is cut, and its length printed."""


def print_all_steps(mapped: MappedRecords) -> int:
    """Print how each record is treated; returns how many were rejected."""
    outcomes = Outcomes()
    for record in mapped:
        explanation = mapped.mappings.explain(record, mapped.ids)
        if mapped.of_kafka:
            print_record(record, mapped.mappings)
        else:
            typer.secho(mapped.place(record), bold=True)
        steps = steps_of(mapped.mappings, record, explanation)
        outcomes.add(steps.explanation)
        _print_steps(steps)
    outcomes.print_count("record" if mapped.of_kafka else "event", always=False)
    return outcomes.rejected


def _print_steps(steps: Steps) -> None:
    for tried in steps.rules:
        _print_rule(tried)
    for let in steps.lets:
        _print_field(let, 4)
    if steps.mapper is not None:
        print_line(f"mapper {steps.mapper}", 4)
    for name, fields in steps.calls:
        print_line(f"call {name}", 4)
        for each in fields:
            _print_field(each)
    print_outcome(steps.explanation)
    _print_remarks(steps)
    refused = steps.refused
    if refused is not None:
        found = refused.found
        value = _shown(found) if found.value is None else _described(found.value)
        print_line(f"refused  {refused.name} at {refused.at}: {value}", 2, fg="red")


def _print_remarks(steps: Steps) -> None:
    """Say what the calls will not do because of their age. That young ones start campaigns is what they are for."""
    now = time.time()
    calls = steps.explanation.calls
    for index, call in enumerate(calls):
        which = f"call {index}: " if len(calls) > 1 else ""
        old = now - call_time(call, now) > _OLD_UPDATE_SECONDS
        for remark in remarks(call, now, superseded=old):
            if remark is not Remark.MAY_START_CAMPAIGNS:
                text = _OLD_UPDATE if remark is Remark.MAY_BE_IGNORED else remark
                print_line(f"remark   {which}{text}", 2, fg="yellow")


def _print_rule(tried: TriedRule) -> None:
    if tried.failed is not None:
        verdict, color = f"fails: {tried.failed}", "red"
    else:
        verdict, color = ("matches", "green") if tried.matches else ("does not match", "yellow")
    print_line(f"rule {tried.at} {verdict}", 2, fg=color)
    if tried.when is None:
        print_line("it has no `when`: it matches everything but tombstones", 4)
        return
    print_line(f"when {' '.join(tried.when.split())}", 4)
    for condition in tried.conditions:
        _print_condition(condition)


def _print_condition(condition: Condition) -> None:
    whole = condition.whole
    note = f" ({condition.note})" if condition.note else ""
    verdict = "not true" if whole.value is None and condition.note else _shown(whole)
    print_line(f"{whole.text} is {verdict}{note}", 6)
    for side in condition.sides:
        if side != whole:
            print_line(f"{side.text} is {_shown(side)}", 8)


def _print_field(each: FieldValue, indent: int = 6) -> None:
    line = each.at.rsplit(":", 2)[1]
    if each.is_expression:
        text = " ".join(each.found.text.split())
        print_line(f"{each.name} (line {line}): {text} is {_shown(each.found)}", indent)
    else:
        print_line(f"{each.name} (line {line}): {_json(each.found.value)}", indent)


def _shown(found: Found) -> str:
    if found.failed is not None:
        return f"a failure: {found.failed}"
    if found.value is None:
        return f"not found: {printable(found.missing)}" if found.missing else "not found"
    return _json(found.value)


def _described(value: Any) -> str:
    """A value with its type and shape."""
    shape = type_of(value)
    match value:
        case str():
            shape += f" of {len(value):,} character{'' if len(value) == 1 else 's'}"
        case list():
            kinds = ", ".join(sorted({type_of(item) for item in value}))
            shape += f" of {len(value):,}" + (f": {kinds}" if kinds else "")
        case dict():
            shape += f" with {', '.join(map(printable, value))}" if value else " without fields"
    return f"{shape}: {_json(value)}"


def _json(value: Any) -> str:
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}... ({len(text):,} characters)"
