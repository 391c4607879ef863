"""What a Protobuf schema says of values, for the checks of mapping files."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor import FieldDescriptor as Field

from worker.formats import description as form
from worker.formats.description import Branch, Description
from worker.formats.protobuf import values, well_known
from worker.formats.protobuf.levels import may_be_absent

_SCALARS = {
    "google.protobuf.Timestamp": form.TIMESTAMP,
    "google.protobuf.Duration": form.DURATION,
    "google.type.Date": form.optional(form.DATE),
    "google.type.DateTime": form.TIMESTAMP,
    "google.type.TimeOfDay": form.TIME_OF_DAY,
    "google.type.Decimal": form.DECIMAL,
    "confluent.type.Decimal": form.DECIMAL,
}
_KINDS = {bool: form.BOOLEAN, int: form.NUMBER, float: form.NUMBER, str: form.TEXT}


def describe(message: Descriptor) -> Description:
    """What such messages are as JSON."""
    return _Describer().message(message)


class _Describer:
    """Describes each type once, so that a recursive one refers to itself."""

    def __init__(self) -> None:
        self._known: dict[str, Description] = {}

    def message(self, message: Descriptor) -> Description:
        if well_known.scalar(message):
            of_type = _SCALARS.get(message.full_name)
            return of_type or form.of(_KINDS[well_known.json_type(message) or str])
        if well_known.json_value(message) or well_known.is_any(message):
            return _json(message)
        known = self._known.get(message.full_name)
        if known is None:
            branch = Branch(form.OBJECT)
            known = self._known[message.full_name] = Description((branch,))
            branch.fields = {field.name: self._field(field) for field in message.fields}
        return known

    def _field(self, field: Field) -> Description:
        if values.is_map(field):
            return form.map_of(self._value(field.message_type.fields_by_number[2]))
        found = self._value(field)
        if field.is_repeated:
            return form.list_of(found)
        return form.optional(found) if may_be_absent(field) and not field.is_required else found

    def _value(self, field: Field) -> Description:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.type == Field.TYPE_ENUM:
            return _enum(field)
        return form.of(_KINDS[values.JSON_TYPES.get(field.cpp_type, str)])


def _json(message: Descriptor) -> Description:
    json_type = well_known.json_type(message)
    if json_type is None:
        return form.ANYTHING
    return form.list_of(form.ANYTHING) if json_type is list else form.map_of(form.ANYTHING)


def _enum(field: Field) -> Description:
    names = [name for name in values.enum_names(field.enum_type).values() if name is not None]
    # A number that a newer version has named is a number here: too rare to be expected of a rule.
    return form.enum_of(names) if names else form.either(())
