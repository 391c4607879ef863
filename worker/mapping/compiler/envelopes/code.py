"""What the code of all envelopes has in common: the struct types, and the way to the reference for unusual records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from worker.core.records import Record
from worker.formats.envelopes.connect import Columns
from worker.mapping.compiler.decoder import FieldsUsed, StructType, struct_type_of
from worker.mapping.compiler.objects import ABOUT, EVENT
from worker.mapping.compiler.source import Code
from worker.mapping.decoding import Decoding
from worker.mapping.files.rules import MappingFile

TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Used:
    """What the rules of a file use of events in an envelope.

    Attributes:
        event: of the event.
        about: of what the envelope says of it.
    """

    event: FieldsUsed
    about: FieldsUsed

    @property
    def reads_about(self) -> bool:
        """Whether any rule reads what the envelope says."""
        return self.about.whole or bool(self.about.fields)


class EnvelopeCode:
    """Writes the decoding of an enveloped record into a converter; each envelope has a subclass.

    What is written assigns the converter's locals `EVENT` and `ABOUT`, sets `value` to None for a tombstone inside
    the envelope, and ends with the next record for one that no rule sees.

    Args:
        code: the function under construction.
        file: the mapping file.
        used: what its rules use.
        ignore: writes the end of a record that no rule sees; gets a Python expression for the word for it.
    """

    def __init__(self, code: Code, file: MappingFile, used: Used, ignore: Callable[[str], None]) -> None:
        self._code = code
        self._constant = code.constant
        self._file = file
        self._format = file.values
        self._used = used
        self._ignore = ignore
        self._event: StructType | None = None
        self._about: StructType | None = None
        self._careful_name: str | None = None

    def write(self) -> None:
        """Write the decoding of the record in the local `record`, whose value is in `value`."""
        self._choose_structs()
        if self._event is not None:
            self._code.structs[EVENT] = self._event
        if self._about is not None:
            self._code.structs[ABOUT] = self._about
        with self._code.block("if value is None:"):
            self._with_care()
        with self._code.block("else:"):
            self._write()

    def _choose_structs(self) -> None:
        """Set the struct types of the event and of what the envelope says; None for those decoded whole."""
        self._event = struct_type_of(self._used.event)

    def _write(self) -> None:
        """Write the decoding of a record that has a value."""
        raise NotImplementedError

    def _with_care(self) -> None:
        """Write what happens to a record that is not of the usual form."""
        code = self._code
        if self._careful_name is None:
            self._careful_name = self._constant(self._careful(), "with_care")
        code.line(f"{EVENT}, {ABOUT}, word = {self._careful_name}(record)")
        with code.block(f"if word == {TOMBSTONE!r}:"):
            code.line("value = None")
        with code.block("elif word is not None:"):
            self._ignore("word")

    def _types_of(self, columns: Columns) -> Any:
        """What a record's event is compared with: the types of each field that rules read; None where none is told."""
        if self._event is None or not columns:
            return columns or None
        anything = _AnyType()
        return tuple(
            columns[name] | {type(None)} | ({inner.made} if inner and dict in columns[name] else set())
            if name in columns
            else anything
            for name, (_, inner) in self._event.members.items()
        )

    def _fits(self) -> str:
        """A Python expression for whether the event is what the schema says, in the local variable `types`."""
        if self._event is None:
            return f"types is None or {self._constant(fits)}({EVENT}, types)"
        each = [
            f"type({EVENT}.{attribute}) in types[{number}]"
            for number, (attribute, _) in enumerate(self._event.members.values())
        ]
        return f"types is None or ({' and '.join(each) or True})"

    def _careful(self) -> Callable[[Record], tuple[Any, Any, str | None]]:
        """A function that takes the envelope off any record: its event, what the envelope says, the word for ignored.

        It raises `Rejected`.
        """
        decoding = Decoding.of(self._file)
        columns = None if self._event is None else frozenset(self._event.members)
        event_type = self._event.made if self._event else None
        about_type = self._about.made if self._about else None

        def unwrap(record: Record) -> tuple[Any, Any, str | None]:
            found = decoding.unwrapped(record, columns)
            event, about = _as(found.event, event_type), _as(found.about or {}, about_type)
            return event, about, TOMBSTONE if found.tombstone else found.ignored

        return unwrap


class _AnyType:
    """Contains every type."""

    def __contains__(self, _: type) -> bool:
        return True


def fits(event: dict[str, Any], types: Columns) -> bool:
    """Whether each field of an event has a type that its schema gives it."""
    return all(type(event.get(name)) in {*of, type(None)} for name, of in types.items())


def _as(value: dict[str, Any], struct: type[msgspec.Struct] | None) -> Any:
    return value if struct is None else msgspec.convert(value, struct)
