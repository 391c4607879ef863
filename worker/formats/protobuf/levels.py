"""What a type says of all its messages: how deep they nest at most, and whether a field is required."""

from __future__ import annotations

import math

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field

from worker.formats.json_values import MAX_DEPTH
from worker.formats.protobuf import well_known

DEEP = MAX_DEPTH // 2
"""Types that nest deeper than this are treated as those that may nest without end."""


class Levels:
    """How many objects and lists the JSON of a type nests in, at most."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}

    def of(self, message: Descriptor, above: int = 0) -> float:
        """The levels of an object with the message's fields, with itself; infinite if a type contains itself."""
        if above > DEEP:
            return math.inf
        if message.full_name not in self._known:
            self._known[message.full_name] = math.inf  # which a type inside that contains this one finds
            self._known[message.full_name] = 1 + max(
                (self.of_field(field, above + 1) for field in message.fields), default=0
            )
        return self._known[message.full_name]

    def of_field(self, field: Field, above: int = 0) -> float:
        """The levels of a field's value; 0 if it is neither an object nor a list."""
        message = field.message_type
        if message is None:
            inside: float = 0
        elif message.GetOptions().map_entry:
            inside = self.of_field(message.fields_by_number[2], above)
        else:
            inside = self._of_value(message, above)
        return inside + 1 if field.is_repeated else inside

    def _of_value(self, message: Descriptor, above: int) -> float:
        if well_known.scalar(message):
            return 0
        if well_known.json_value(message) or well_known.is_any(message):
            return math.inf
        return self.of(message, above)


def may_exceed(message: Descriptor) -> bool:
    """Whether messages of a type that the parser accepts may nest deeper than `MAX_DEPTH`.

    It stops at 100 messages. Only a list adds two levels for each, so it takes a type that contains itself in a list.
    """
    return any(
        field.is_repeated
        and not field.message_type.GetOptions().map_entry
        and each in _inside(field.message_type)
        for each in _inside(message)
        for field in each.fields
        if field.message_type is not None
    )


def widest(message: Descriptor) -> int:
    """How many fields that are there without being set a message of the type, or one inside it, has at most."""
    return max(1, *(width(each) for each in _inside(message)))


def width(message: Descriptor) -> int:
    """How many of a type's fields are there even if they are not set."""
    return sum(not may_be_absent(field) for field in message.fields)


def may_be_absent(field: Field) -> bool:
    """Whether a message may lack the field, so that it is not found."""
    return bool(field.has_presence) and (not field.has_default_value or field.containing_oneof is not None)


def _inside(message: Descriptor) -> list[Descriptor]:
    """The type, and each that messages of it may contain."""
    found, waiting = {message.full_name: message}, [message]
    while waiting:
        for field in waiting.pop().fields:
            inside = field.message_type
            if inside is not None and inside.full_name not in found:
                found[inside.full_name] = inside
                waiting.append(inside)
    return list(found.values())


def may_lack_required(message: Descriptor) -> bool:
    """Whether a message of the type, or one that may be inside it, has a required field."""
    return any(field.is_required for each in _inside(message) for field in each.fields)
