"""From the values that a mapping found to a call: checked, converted, put where they belong.

What the builders run, and what the code that the rule compiler generates says inline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from worker.core.model import DESTRUCTIVE_CALLS, SEMANTIC_EVENTS, Rejected, Stage
from worker.core.semantic import check_event_name, check_semantic, reserved
from worker.core.timestamps import ENDS, LENGTH, SECONDS, from_datetime, rfc3339
from worker.core.validation import REJECT_IDS, check_shared, is_object_type, optional_identity, validate
from worker.mapping.call import Call
from worker.mapping.codegen import Code
from worker.mapping.shapes import CALLS, CallShape, Field, Kind, Place

Assembler = Callable[..., Call]
"""Makes a call of one shape. Takes its fields in the shape's order, or by the builders' names (`Field.parameter`);
None is as if it were not given.

Raises `Rejected` with stage `validate`: what `convert` raises, `MISSING_ID` or `MISSING_FIELD`.
"""


def assemble(shape: CallShape, values: Mapping[str, Any]) -> Call:
    """A call of this shape with these values, by the names of its fields; None is as if it were not there.

    Raises:
        Rejected: as `Assembler` says.
    """
    return assembler(shape.name)(*map(values.get, shape.fields))


@cache
def assembler(name: str) -> Assembler:
    """The function that assembles one of `CALLS`, written out for its shape."""
    shape = CALLS[name]
    code = Code()
    event = f", 'event': {shape.event!r}" if shape.event else ""
    code.line(f"body = {{'type': {shape.type!r}{event}}}")
    for field in shape.fields.values():  # in the shape's order, which is the order of what is sent
        with code.block(f"if {field.parameter} is not None:"):
            _write_field(code, field)
    _write_stand_in(code, shape)
    _write_completeness(code, shape)
    made = f"{shape.name!r}, body, message_id, {code.constant(shape, 'shape')}"
    code.line(f"return {code.constant(Call, 'call')}({made})")
    parameters = ", ".join(f"{field.parameter}=None" for field in shape.fields.values())
    return code.build(shape.name, parameters)


def _write_field(code: Code, field: Field) -> None:
    """Convert what was given, unless it is as usual and stays as it is; put it where it belongs."""
    given = field.parameter
    converted = f"{code.constant(convert, 'convert')}({code.constant(field, f'{given}_field')}, {given})"
    if field.kind is Kind.TIME:
        # What timestamps.rfc3339 does first, without a call.
        with code.block("try:"):
            seconds, ends = code.constant(SECONDS, "seconds"), code.constant(ENDS, "ends")
            usual = f"{seconds}[{given}[:{LENGTH}]] + {ends}[{given}[{LENGTH}:]]"
            code.line(f"{given} = {usual} if type({given}) is str else {converted}")
        with code.block("except KeyError:"):
            code.line(f"{given} = {converted}")
    else:
        with code.block(f"if {_unusual(code, field)}:"):
            code.line(f"{given} = {converted}")
    for place in field.places:
        with code.block(f"if {given} is not None:"):  # a blank text is none
            if len(place) == 1:
                code.line(f"body[{place[0]!r}] = {given}")
            else:
                code.line(f"{code.constant(put, 'put')}(body, {place!r}, {given})")


def _unusual(code: Code, field: Field) -> str:
    """Whether a value may be anything else than one that `convert` answers unchanged."""
    given = field.parameter
    # The first letter is no space.
    usual_text = f"type({given}) is str and '!' <= {given} < '\\x7f'"
    match field.kind:
        case Kind.IDENTITY | Kind.EVENT_ID | Kind.TEXT:
            return f"not ({usual_text})"
        case Kind.EVENT:
            return f"not ({usual_text}) or {code.constant(reserved, 'reserved')}({given})"
        case Kind.OBJECT:
            return f"type({given}) is not dict"
        case _:
            return "True"


def _write_stand_in(code: Code, shape: CallShape) -> None:
    if shape.fallback is None:
        return
    source, text = shape.fallback
    stand_in = shape.fields[source].parameter if source else repr(text)
    with code.block("if user_id is None and anonymous_id is None:"):
        code.line(f"body['anonymousId'] = {stand_in}")


def _write_completeness(code: Code, shape: CallShape) -> None:
    """Ask `_check_complete` what is missing, if something is."""
    missing = [f"{field.parameter} is None" for field in shape.fields.values() if field.required]
    if shape.one_of:
        nobody = " and ".join(f"{shape.fields[name].parameter} is None" for name in shape.one_of)
        missing.append(f"({nobody})")
    if shape.name_or_url:
        missing.append("name is None")
    found = ", ".join(f"{field.name!r}: {field.parameter}" for field in shape.fields.values())
    with code.block(f"if {' or '.join(missing)}:"):
        code.line(
            f"{code.constant(_check_complete, 'check_complete')}({code.constant(shape, 'shape')}, {{{found}}})"
        )


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


def checked_call(
    call: Call, *, allow: Collection[str] = frozenset(), reject_ids: Collection[str] = REJECT_IDS
) -> dict[str, Any]:
    """What `checked` says of a call's body, without a second look at what the call's assembler has seen to.

    Of an untouched body only this can still be wrong: an id may be one of `reject_ids`, the rule may not allow the
    call, and an object in it may have changed, or not be what Customer.io takes there.

    Raises:
        Rejected: what `checked` raises.
    """
    shape, body = call.untouched, call.untouched_body()
    if shape is None or _needs_second_look(shape, body, reject_ids):
        return checked(body, allow=allow, reject_ids=reject_ids)
    if "context" in body or "integrations" in body:
        check_shared(body)
    if shape.name in _ACTED_ON:
        check_semantic(body, allow)
    return body.copy()  # because a mapper may return the same call again


_ACTED_ON = DESTRUCTIVE_CALLS | SEMANTIC_EVENTS.keys()
"""Which calls `check_semantic` has more to say of than what their event may be called."""


def _needs_second_look(shape: CallShape, body: Mapping[str, Any], reject_ids: Collection[str]) -> bool:
    """Whether somebody's id may be a rejected one, or the name may be missing with no `properties.url`."""
    for field in _IDS:
        if field in body and body[field].strip().casefold() in reject_ids:
            return True
    return shape.name_or_url and "name" not in body


_IDS = ("userId", "anonymousId", "groupId", "previousId")


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
        if field.required and found[name] is None:
            reason = "MISSING_ID" if field.kind is Kind.IDENTITY else "MISSING_FIELD"
            raise Rejected(Stage.VALIDATE, reason, f"{shape.name} needs {name}.")
    if shape.one_of and all(found[name] is None for name in shape.one_of):
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{shape.name} needs {' or '.join(shape.one_of)}.")
    if shape.name_or_url and found["name"] is None and not (found["properties"] or {}).get("url"):
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
