"""Keys and names that a rule writes itself, and that Customer.io does not merely store."""

from __future__ import annotations

from collections.abc import Iterator

from worker.customerio.meaning import OVERRIDDEN, may_override
from worker.customerio.notices import MEANINGS, Notice
from worker.customerio.profile_limits import MAX_EVENT_NAME_BYTES, MAX_TRAIT_NAME_BYTES, is_too_long
from worker.customerio.reference import RESERVED_PROPERTIES, RESERVED_TRAITS
from worker.documents.document import Path
from worker.documents.problems import Problem
from worker.mapping.files.rules import CallRule, MappingFile, Value, written_keys


def meaning_warnings(file: MappingFile, call: CallRule) -> Iterator[Problem]:
    """Warnings about one call, each at its key."""
    for path, message, hint in (*_overrides(call), *_traits(call), *_name(call)):
        is_key = len(path) > 1
        yield file.document.problem(message, call.at(path), key=is_key, hint=hint, warning=True)


_Finding = tuple[Path, str, str | None]


def _overrides(call: CallRule) -> Iterator[_Finding]:
    """Reserved properties, unless the rule says that they are meant. A literal null does not count."""
    properties = call.fields.get("properties")
    if call.spec.name != "track":
        return
    for name in written_keys(properties) or ():
        meant = name in call.allow or (call.event is not None and may_override(call.event, name))
        is_null = isinstance(properties, dict) and properties[name] is None
        if name in RESERVED_PROPERTIES and not meant and not is_null:
            message = f"the property {name} overrides the {OVERRIDDEN[name]} of the campaigns that the event triggers"
            hint = f"rename it, or write `allow_overrides: [{name}]` in the rule"
            yield _place("properties", properties, name), message, hint


def _traits(call: CallRule) -> Iterator[_Finding]:
    """Traits that are identifiers, and names that are too long."""
    traits = call.fields.get("traits")
    for name in written_keys(traits) or ():
        place = _place("traits", traits, name)
        if call.spec.name == "identify" and name in RESERVED_TRAITS:
            message = f"Customer.io reads the trait {name} as an identifier of the person"
            yield place, message, "the person is `userId`; rename the trait"
        if is_too_long(name, MAX_TRAIT_NAME_BYTES):
            yield place, MEANINGS[Notice.TRAIT_NAME_LENGTH], None


def _place(field: str, value: Value, name: str) -> Path:
    """The key's own place, or that of the expression which has it."""
    return (field, name) if isinstance(value, dict) else (field,)


def _name(call: CallRule) -> Iterator[_Finding]:
    if call.event is not None and is_too_long(call.event, MAX_EVENT_NAME_BYTES):
        yield ("event",), MEANINGS[Notice.EVENT_NAME_LENGTH], None
