"""What changes for a record between two versions of a mapping."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from worker.mapping.trying.preview import outcome_of

if TYPE_CHECKING:
    from worker.mapping.explaining import Explanation


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes for one record.

    Attributes:
        newly: `ignored`, `rejected` or `sent`, where the record was something else before; None where it was the same.
        was, now: the old and the new outcome, in words.
        added, gone: calls that only one version makes.
        changed: calls that both make, each with the differing lines.
    """

    newly: str | None
    was: str
    now: str
    added: list[dict[str, Any]] = field(default_factory=list)
    gone: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[dict[str, Any], list[str]]] = field(default_factory=list)


def difference(old: Explanation, new: Explanation) -> Difference | None:
    """What changes; None if nothing does. The same calls by another rule are not a change."""
    was, now = outcome_of(old), outcome_of(new)
    added, gone, changed = [], [], []
    for before, after in _pairs(old.calls, new.calls):
        if before is None and after is not None:
            added.append(after)
        elif after is None and before is not None:
            gone.append(before)
        elif before != after and before is not None and after is not None:
            changed.append((after, _lines(before, after)))
    if _without_place(was) == _without_place(now) and not (added or gone or changed):
        return None
    kind = now.partition(" ")[0]
    return Difference(kind if kind != was.partition(" ")[0] else None, was, now, added, gone, changed)


def _without_place(outcome: str) -> str:
    """An outcome without the line of the rule that ignores the record, which moves whenever lines are added."""
    return outcome.partition("(ignored by ")[0]


def title(call: dict[str, Any]) -> str:
    """What a call is: `track Order Completed`."""
    return " ".join(str(call[key]) for key in ("type", "event") if key in call)


def _pairs(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """The calls of both versions side by side: the first of a type and event with the first of the same, and so on."""
    for name in dict.fromkeys(map(title, [*old, *new])):
        yield from zip_longest(
            [call for call in old if title(call) == name], [call for call in new if title(call) == name]
        )


def _lines(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return list(difflib.unified_diff(_written(before), _written(after), lineterm="", n=1))[2:]


def _written(call: dict[str, Any]) -> list[str]:
    return json.dumps(call, indent=2, ensure_ascii=False).splitlines()
