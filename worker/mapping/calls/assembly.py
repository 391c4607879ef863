"""From the values that a mapping found to a call: each is checked, converted and put at its places.

Builders run this module's functions. Rules compiled by `compiler.calls` do the same inline, with the same fast paths.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.core.timestamps import from_datetime, rfc3339
from worker.customerio.semantic import check_event_name, check_semantic, is_object_type
from worker.mapping.calls.call import Call
from worker.mapping.calls.specs import CallSpec, Field, Kind, Place
from worker.mapping.calls.validation import (
    REJECT_IDS,
    optional_identity,
    validate,
)
from worker.mapping.compiler.fast_paths import write_converted
from worker.mapping.compiler.source import Code


def assembler(spec: CallSpec, parameters: str) -> Callable[..., Call]:
    """Compile a function that makes calls of one spec; an argument that is None counts as not given.

    It raises `Rejected` with stage `validate`: what `convert` raises, `MISSING_ID` or `MISSING_FIELD`.

    Args:
        spec: what it makes.
        parameters: as they stand in its `def`: `Field.parameter` of each field of the spec.
    """
    code = Code()
    event = f", 'event': {spec.event!r}" if spec.event else ""
    code.line(f"body = {{'type': {spec.type!r}{event}}}")
    for field in spec.fields.values():  # in the spec's order, which is the order of what is sent
        with code.block(f"if {field.parameter} is not None:"):
            _write_conversion(code, field)
            with code.block(f"if {field.parameter} is not None:"):  # conversion returns None for a blank text
                _write_places(code, field)
    _write_stand_in(code, spec)
    _write_completeness(code, spec)
    _write_return(code, spec)
    return code.build(spec.name, parameters, f"<builder {spec.name}>")


def _write_return(code: Code, spec: CallSpec) -> None:
    """Write what `Call.__init__` does, which as a function of Python takes twice as long."""
    code.line(f"call = {code.constant(object.__new__, 'new')}({code.constant(Call, 'call')})")
    code.line(f"call.name = {spec.name!r}")
    code.line("call._body = body")
    code.line("call.event_id = message_id")
    code.line(f"call.untouched = {spec.name!r}")
    code.line("return call")


def _write_conversion(code: Code, field: Field) -> None:
    """Write the conversion of a field's argument."""
    given = field.parameter
    conversion = code.constant(_CONVERSIONS[field.kind], f"convert_{field.kind}")
    converted = f"{conversion}({code.constant(field, f'{given}_field')}, {given})"
    write_converted(code, field.kind, given, given, converted)


def _write_places(code: Code, field: Field) -> None:
    for place in field.places:
        if len(place) == 1:
            code.line(f"body[{place[0]!r}] = {field.parameter}")
        else:
            code.line(f"{code.constant(put)}(body, {place!r}, {field.parameter})")


def _write_stand_in(code: Code, spec: CallSpec) -> None:
    if spec.fallback is None:
        return
    source, text = spec.fallback
    stand_in = spec.fields[source].parameter if source else repr(text)
    with code.block("if user_id is None and anonymous_id is None:"):
        code.line(f"body['anonymousId'] = {stand_in}")


def _write_completeness(code: Code, spec: CallSpec) -> None:
    """Write the test whether something is missing, and the call of `_check_complete`, which says what."""
    missing = [f"{field.parameter} is None" for field in spec.fields.values() if field.required]
    if spec.one_of:
        no_person = " and ".join(f"{spec.fields[name].parameter} is None" for name in spec.one_of)
        missing.append(f"({no_person})")
    if spec.name_or_url:
        missing.append("name is None")
    found = ", ".join(f"{field.name!r}: {field.parameter}" for field in spec.fields.values())
    with code.block(f"if {' or '.join(missing)}:"):
        code.line(
            f"{code.constant(_check_complete, 'check_complete')}({code.constant(spec, 'spec')}, {{{found}}})"
        )


def convert(field: Field, value: Any) -> Any:
    """Convert a field's value to what is sent; None if there is none.

    Raises:
        Rejected: `INVALID_ID`, `INEXACT_NUMBER`, `INVALID_NAME`, `RESERVED_NAME`, `INVALID_TIMESTAMP`,
            `INVALID_TYPE` or `INVALID_VALUE`.
    """
    return None if value is None else _CONVERSIONS[field.kind](field, value)


def _identity(field: Field, value: Any) -> str | None:
    # The file's own reject_ids are checked when the whole call is validated.
    return optional_identity(value, field.name, ())


def _text(field: Field, value: Any) -> str | None:
    _check_type(field, isinstance(value, str), "text")
    return value if value.strip() else None


def _object(field: Field, value: Any) -> dict[str, Any]:
    _check_type(field, isinstance(value, (dict, Mapping)), "an object")  # testing for a dict first is faster
    return value if isinstance(value, dict) else dict(value)


def _integer(field: Field, value: Any) -> int:
    _check_type(field, type(value) is int, "a whole number")
    return int(value)


def _object_type(field: Field, value: Any) -> str:
    """The number of an object type, as digits."""
    text = optional_identity(value, field.name, ()) or ""
    if not is_object_type(text):
        raise Rejected(Stage.VALIDATE, "INVALID_VALUE", f"{field.name} must be a whole number of 1 or more.")
    return text


def _choice(field: Field, value: Any) -> Any:
    if value not in field.choices:
        raise Rejected(
            Stage.VALIDATE, "INVALID_VALUE", f"{field.name} must be one of {', '.join(field.choices)}."
        )
    return value


def _check_type(field: Field, holds: bool, what: str) -> None:  # noqa: FBT001 - the result of a test
    if not holds:
        raise Rejected(Stage.VALIDATE, "INVALID_TYPE", f"{field.name} must be {what}.")


_CONVERSIONS: dict[Kind, Callable[[Field, Any], Any]] = {
    Kind.IDENTITY: _identity,
    Kind.EVENT_ID: _identity,
    Kind.TEXT: _text,
    Kind.EVENT: lambda _, value: check_event_name(value),
    Kind.CHOICE: _choice,
    Kind.OBJECT_TYPE: _object_type,
    Kind.INTEGER: _integer,
    Kind.OBJECT: _object,
    Kind.TIME: lambda _, value: as_time(value),
}
"""How a value that is not None is converted, by its field's kind. See `convert`."""


def checked(
    call: Any,
    *,
    allow: Collection[str] = frozenset(),
    strict: bool = True,
    reject_ids: Collection[str] = REJECT_IDS,
) -> dict[str, Any]:
    """Check a whole call in the API's format: its fields, its time (converted to UTC), and what its event requires.

    Args:
        call: anything.
        allow: what the rule allows, see `customerio.meaning`.
        strict: see `validation.validate`.
        reject_ids: see `validation.validate`.

    Raises:
        Rejected: what `validation.validate` and `semantic.check_semantic` raise, or `INVALID_TIMESTAMP`.
    """
    valid = validate(call, strict=strict, reject_ids=reject_ids)
    original = valid.pop("originalTimestamp", None)
    if "timestamp" in valid:
        valid["timestamp"] = as_time(valid["timestamp"])
    elif original is not None:
        # The reference asks for `timestamp` in its place, and does not say which of the two counts: only one is sent.
        valid["timestamp"] = as_time(original, "originalTimestamp")
    check_semantic(valid, allow)
    return valid


def put(body: dict[str, Any], place: Place, value: Any) -> None:
    """Put a value at its place. Objects on the path are copied, because they may belong to the mapper or the event."""
    *objects, key = place
    for name in objects:
        inner = body.get(name)
        # Ordered by likelihood and cost.
        copied = dict(inner) if inner is not None and isinstance(inner, (dict, Mapping)) else {}
        body[name] = copied
        body = copied
    body[key] = value


def _check_complete(spec: CallSpec, found: Mapping[str, Any]) -> None:
    for name, field in spec.fields.items():
        if field.required and found[name] is None:
            reason = "MISSING_ID" if field.kind is Kind.IDENTITY else "MISSING_FIELD"
            raise Rejected(Stage.VALIDATE, reason, f"{spec.name} needs {name}.")
    if spec.one_of and all(found[name] is None for name in spec.one_of):
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{spec.name} needs {' or '.join(spec.one_of)}.")
    if spec.name_or_url and found["name"] is None and not (found["properties"] or {}).get("url"):
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{spec.name} needs name, or properties.url.")


def as_time(value: object, field: str = "timestamp") -> str:
    """Convert a timestamp to what is sent.

    Raises:
        Rejected: `INVALID_TIMESTAMP`.
    """
    try:
        return from_datetime(value) if isinstance(value, datetime) else rfc3339(value)
    except ValueError as error:
        raise Rejected(Stage.VALIDATE, "INVALID_TIMESTAMP", f"{field}: {error}.") from None
