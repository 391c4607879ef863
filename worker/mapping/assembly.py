"""From the values that a mapping found to a call: checked, converted, put where they belong.

What the builders run, and what the code that the rule compiler generates says inline.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.core.model import Rejected, Stage
from worker.core.semantic import check_event_name, check_semantic
from worker.core.timestamps import from_datetime, rfc3339
from worker.core.validation import REJECT_IDS, is_object_type, optional_identity, validate
from worker.mapping.shapes import CallShape, Field, Kind, Place


@dataclass(slots=True)
class Call:
    """One call, made by a builder.

    Attributes:
        name: what it is called in rules and `allow`, such as `delete_device`.
        body: the call in the API's own shape, without its messageId.
        event_id: the event's own unique id, if the mapper gave one.
    """

    name: str
    body: dict[str, Any]
    event_id: str | None = None


def assemble(shape: CallShape, values: Mapping[str, Any]) -> Call:
    """A call of this shape with these values, by the names of its fields; None is as if it were not there.

    Raises:
        Rejected: with stage `validate`: what `convert` raises, `MISSING_ID` or `MISSING_FIELD`.
    """
    found: dict[str, Any] = {}
    for name, field in shape.fields.items():  # in the shape's order, which is the order of what is sent
        value = values.get(name)
        if value is not None and (value := convert(field, value)) is not None:
            found[name] = value
    if shape.fallback and "userId" not in found and "anonymousId" not in found:
        source, text = shape.fallback
        if stand_in := found.get(source) if source else text:
            found["anonymousId"] = stand_in
    _check_complete(shape, found)
    body: dict[str, Any] = {"type": shape.type}
    if shape.event:
        body["event"] = shape.event
    for name, value in found.items():
        for place in shape.fields[name].places:
            if len(place) == 1:
                body[place[0]] = value
            else:
                put(body, place, value)
    return Call(shape.name, body, found.get("messageId"))


def convert(field: Field, value: Any) -> Any:  # noqa: PLR0911 - one answer for each kind
    """A field's value as it is sent; None where there is none.

    Raises:
        Rejected: `INVALID_ID`, `INEXACT_NUMBER`, `INVALID_NAME`, `RESERVED_NAME`, `INVALID_TIMESTAMP`,
            `INVALID_TYPE` or `INVALID_VALUE`.
    """
    if value is None:
        return None
    match field.kind:
        case Kind.IDENTITY | Kind.EVENT_ID:
            # The file's own reject_ids are looked at when the whole call is validated.
            return optional_identity(value, field.name, ())
        case Kind.EVENT:
            return check_event_name(value)
        case Kind.TIME:
            return as_time(value)
        case Kind.OBJECT:
            _check_type(field, isinstance(value, (dict, Mapping)), "an object")  # asking for a dict is quick
            return value if isinstance(value, dict) else dict(value)
        case Kind.INTEGER:
            _check_type(field, type(value) is int, "a whole number")
            return value
        case Kind.OBJECT_TYPE:
            return _object_type(field, value)
        case Kind.CHOICE:
            return _choice(field, value)
        case Kind.TEXT:
            _check_type(field, isinstance(value, str), "text")
            return value if value.strip() else None


def checked(
    call: Any,
    *,
    allow: Collection[str] = frozenset(),
    strict: bool = True,
    reject_ids: Collection[str] = REJECT_IDS,
) -> dict[str, Any]:
    """A call in the API's own shape, checked whole: its fields, its time (written in UTC), its event's needs.

    Args:
        call: anything.
        allow: which destructive calls may pass.
        strict: as `validation.validate` has it.
        reject_ids: the same.

    Raises:
        Rejected: what `validation.validate` and `semantic.check_semantic` raise, or `INVALID_TIMESTAMP`.
    """
    valid = validate(call, strict=strict, reject_ids=reject_ids)
    if "timestamp" in valid:
        valid["timestamp"] = as_time(valid["timestamp"])
    check_semantic(valid, allow)
    return valid


def put(body: dict[str, Any], place: Place, value: Any) -> None:
    """Put a value at its place; objects on the way are copied, because they may be the mapper's own."""
    *objects, key = place
    for name in objects:
        inner = body.get(name)
        body[name] = dict(inner) if isinstance(inner, Mapping) else {}
        body = body[name]
    body[key] = value


def _check_complete(shape: CallShape, found: Mapping[str, Any]) -> None:
    for name, field in shape.fields.items():
        if field.required and name not in found:
            reason = "MISSING_ID" if field.kind is Kind.IDENTITY else "MISSING_FIELD"
            raise Rejected(Stage.VALIDATE, reason, f"{shape.name} needs {name}.")
    if shape.one_of and not any(name in found for name in shape.one_of):
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{shape.name} needs {' or '.join(shape.one_of)}.")
    if shape.name_or_url and "name" not in found and not found.get("properties", {}).get("url"):
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{shape.name} needs name, or properties.url.")


def as_time(value: object) -> str:
    """A timestamp as it is sent.

    Raises:
        Rejected: `INVALID_TIMESTAMP`.
    """
    try:
        return from_datetime(value) if isinstance(value, datetime) else rfc3339(value)
    except ValueError as error:
        raise Rejected(Stage.VALIDATE, "INVALID_TIMESTAMP", f"timestamp: {error}.") from None


def _check_type(field: Field, holds: bool, what: str) -> None:  # noqa: FBT001 - the answer of a test
    if not holds:
        raise Rejected(Stage.VALIDATE, "INVALID_TYPE", f"{field.name} must be {what}.")


def _object_type(field: Field, value: Any) -> str:
    """Digits that name a kind of object."""
    text = optional_identity(value, field.name, ()) or ""
    if not is_object_type(text):
        raise Rejected(
            Stage.VALIDATE, "INVALID_VALUE", f"{field.name} must be a whole number from 1 on, as text."
        )
    return text


def _choice(field: Field, value: Any) -> Any:
    if value not in field.choices:
        raise Rejected(
            Stage.VALIDATE, "INVALID_VALUE", f"{field.name} must be one of {', '.join(field.choices)}."
        )
    return value
