"""Which types functions, comparisons and the fields of calls take, for values of which only a description is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product
from typing import Any

from jmespath.exceptions import JMESPathTypeError

from worker.formats.description import BOOLEAN, LIST, NUMBER, OBJECT, TEXT, Branch, Description
from worker.mapping.calls.specs import Field, Kind
from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.functions import REGISTRY
from worker.mapping.files.lint.refusals import refusal

MOST_TRIES = 500
"""Combinations of arguments that a function is tried with."""

_SAMPLES: dict[str, tuple[Any, ...]] = {
    TEXT: ("a", "1"),
    NUMBER: (1, 1.5),
    BOOLEAN: (True,),
    LIST: ([],),
    OBJECT: ({},),
}
"""Some values of each type: functions refuse types, and never one value of a type and not another."""

_TAKEN: dict[Kind, frozenset[str]] = {
    Kind.IDENTITY: frozenset({TEXT, NUMBER}),
    Kind.TEXT: frozenset({TEXT}),
    Kind.EVENT: frozenset({TEXT}),
    Kind.CHOICE: frozenset({TEXT}),
    Kind.OBJECT_TYPE: frozenset({TEXT, NUMBER}),
    Kind.INTEGER: frozenset({NUMBER}),
    Kind.OBJECT: frozenset({OBJECT}),
    Kind.TIME: frozenset({TEXT, NUMBER}),
    Kind.EVENT_ID: frozenset({TEXT, NUMBER}),
}
"""The types that a field of a call takes."""


def words_for(kinds: frozenset[str]) -> str:
    """Types in words: `a string or a number`."""
    return " or ".join(sorted(kinds))


def in_words(described: Description) -> str:
    """What a value can be in words, with the type of a list's items: `a list of strings`."""
    items = described.items()
    if described.kinds == {LIST} and items is not None and len(items.kinds) == 1:
        return f"a list of {words_for(items.kinds).partition(' ')[2]}s"
    return words_for(described.kinds)


def refuses(name: str, arguments: Sequence[Description | None]) -> bool:
    """Whether a function takes no value that its arguments can have. None stands for an argument of any value."""
    if all(each is None for each in arguments):
        return False
    tries = product(*map(_samples, arguments))
    return all(_is_refused(name, values) for values in islice(tries, MOST_TRIES))


def _is_refused(name: str, values: Sequence[Any]) -> bool:
    text_length.begin()
    try:
        REGISTRY.call_function(name, list(values))
    except (Mismatch, JMESPathTypeError):
        return True
    except ExpressionFailed:
        return False  # the type is right
    return False


def _samples(described: Description | None, levels: int = 3) -> list[Any]:
    if described is None or not described.branches:
        return [value for values in _SAMPLES.values() for value in values]
    return [value for branch in described.branches for value in _of_branch(branch, levels)]


def _of_branch(branch: Branch, levels: int) -> list[Any]:
    if branch.kind == TEXT and branch.sample is not None:
        return [branch.sample]
    if branch.kind == LIST and branch.items is not None and levels:
        return [[value] for value in _samples(branch.items, levels - 1)] or [[]]
    return list(_SAMPLES[branch.kind])


def refused_by(field: Field, described: Description) -> str | None:
    """Why a field of a call takes no such value; None if it may take one."""
    if not described.branches:
        return None
    taken = _TAKEN[field.kind]
    if not described.kinds & taken:
        return f"{field.name} takes {words_for(taken)}, and this is {words_for(described.kinds)}"
    if field.kind is Kind.TIME and all(branch.sample is not None for branch in described.branches):
        return refusal(field, str(described.branches[0].sample))
    return None
