"""Fields of calls whose value the call does not take in any fixture: the records would be rejected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from worker.core.reasons import Rejected
from worker.documents.problems import Problem
from worker.mapping.calls.assembly import convert
from worker.mapping.calls.specs import CALLS, Field, Kind
from worker.mapping.expressions.text import PATH, name_of
from worker.mapping.files.defaults import FIELDS
from worker.mapping.files.lint.spots import Spot, first_character


def refused_findings(spot: Spot, results: Sequence[Any]) -> Iterator[Problem]:
    """`traits: customer.email`, `userId: customer`, `timestamp: day`.

    Args:
        spot: the expression.
        results: its values in the fixtures that reach its rule and expect no rejection.
    """
    field = field_of(spot)
    found = [value for value in results if value is not None]
    if field is None or not found:
        return
    start = first_character(spot.node)
    refusals = [refusal(field, value) for value in found]
    if all(refusals):
        yield spot.warning(f"no fixture's value fits: {refusals[0]}", start, _hint(spot, field, found[0]))
    elif field.kind is Kind.IDENTITY and all(str(value).startswith('{"') for value in found):
        path = spot.text.strip() if PATH.fullmatch(spot.text.strip()) else "..."
        hint = f"write parse_json({path}) and the path of the id in it"
        yield spot.warning(f"{field.name} is a whole JSON object as text in the fixtures", start, hint)


def field_of(spot: Spot) -> Field | None:
    """The call's field that this expression is the whole value of."""
    if not spot.is_field or spot.node["type"] == "literal":  # the reader checks literals
        return None
    call = spot.document.data
    for step in spot.path[:-1]:
        call = call[step]
    spec = CALLS.get(str(call.get("call"))) if isinstance(call, dict) else None
    return (spec.fields if spec else FIELDS).get(str(spot.path[-1]))


def refusal(field: Field, value: Any) -> str | None:
    """Why a call does not take this value in a field; None if it does."""
    try:
        convert(field, value)
    except Rejected as rejected:
        return rejected.detail.rstrip(".")
    return None


def _hint(spot: Spot, field: Field, value: Any) -> str | None:
    """What was meant, where it is plain."""
    text = spot.text.strip()
    if not PATH.fullmatch(text):
        return None
    if field.kind is Kind.OBJECT:
        return f"write {field.name}: {{{text.rpartition('.')[2]}: {text}}}"
    if field.kind is Kind.IDENTITY and isinstance(value, dict):
        names = [name for name, item in value.items() if refusal(field, item) is None]
        return f"write {text}.{name_of('id' if 'id' in names else names[0])}" if names else None
    return None
