"""CloudEvents in generated code."""

from __future__ import annotations

from typing import Any, Union

from worker.core.record_reading import UNREADABLE, read_headers
from worker.formats.envelopes.cloudevents import CONTENT_TYPE, DATA, OPTIONAL, PREFIX, REQUIRED, STRUCTURED
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, StructType, made_of, struct_type_of
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.compiler.values import ENVELOPE_ID, EVENT

_IN_HEADERS = ("id", "source", "type")
"""The attributes that binary mode needs beside `specversion`."""

_PARAMETERS = ("", "; charset=UTF-8", "; charset=utf-8", ";charset=UTF-8", ";charset=utf-8")
_STRUCTURED_TYPES = frozenset(f"{STRUCTURED}{rest}".encode() for rest in _PARAMETERS)
_JSON_TYPES = frozenset([None, *(f"application/json{rest}".encode() for rest in _PARAMETERS)])
"""The spellings of content types that producers use; all others are treated with care."""


def event_id(source: str | None, own: str | None) -> bytes | None:
    """The id that an event has among those of all sources, in UTF-8; None for a tombstone without attributes."""
    return None if source is None or own is None else f"{source}/{own}".encode("utf-8", "surrogatepass")


class CloudEventsCode(EnvelopeCode):
    """Attributes that rules read are attributes of one struct in both modes, beside the event of structured mode."""

    def _choose_structs(self) -> None:
        event = FieldsUsed(fields={"specversion": WHOLE})  # by which a second envelope shows
        event.add(self._used.event)
        self._event = struct_type_of(event)
        about = self._used.about
        if not about.whole and DATA.isdisjoint(about.fields):
            self._about = self._about_struct()

    def _about_struct(self) -> StructType | None:
        """The attributes that are checked or read, and the data."""
        names = [
            *REQUIRED,
            *OPTIONAL,
            *(name for name in self._used.about.fields if name not in REQUIRED + OPTIONAL),
        ]
        text: Any = str | None
        data: Any = Union[self._event.made if self._event else dict, None]  # noqa: UP007 - made for msgspec
        types: dict[str, Any] = {name: text if name in REQUIRED + OPTIONAL else Any for name in names}
        return made_of(
            {name: (kind, None) for name, kind in types.items()}
            | {"data": (data, self._event), "data_base64": (Any, None)}
        )

    def _write(self) -> None:
        code = self._code
        if self._about is None:
            self._with_care()
            return
        with code.block("if value is None:"):
            self._with_care()
        with code.block("else:"):
            code.line(f"headers = {code.constant(read_headers)}(record)")
            code.line("named = dict(headers)")
            code.line(f"content_type = named.get({CONTENT_TYPE!r})")
            code.line(f"{EVENT} = None")
            usual = f"len(named) == len(headers) and headers is not {code.constant(UNREADABLE, 'unreadable')}"
            with code.block(f"if {usual}:"):
                self._in_either_mode()
            with code.block(f"if {EVENT} is None:"):
                self._with_care()

    def _in_either_mode(self) -> None:
        code = self._code
        types = self._constant(_JSON_TYPES, "json_types")
        known = f"(content_type == b'application/json' or content_type in {types})"
        is_json = f"{known} and '{PREFIX}datacontenttype' not in named"
        with code.block(f"if named.get('{PREFIX}specversion') == b'1.0' and {is_json}:"):
            self._binary()
        structured = self._constant(_STRUCTURED_TYPES, "structured_types")
        plain = f"content_type is None and '{PREFIX}specversion' not in named"
        with code.block(f"elif content_type in {structured} or ({plain}):"):
            self._structured()

    def _structured(self) -> None:
        assert self._about is not None
        code, about = self._code, self._about
        nothing = code.constant(about.empty, "no_event")
        self._format.emit(code, ABOUT, about.made, otherwise=nothing)
        of = {name: f"{ABOUT}.{attribute}" for name, (attribute, _) in about.members.items()}
        complete = f"{of['specversion']} == '1.0' and {of['id']} and {of['source']} and {of['type']}"
        with code.block(f"if {complete} and {of['data_base64']} is None:"):
            code.line(f"{EVENT} = {of['data']}")
            code.line(f'{ENVELOPE_ID} = f"{{{of["source"]}}}/{{{of["id"]}}}".encode()')
            self._refuse_second()

    def _binary(self) -> None:
        assert self._about is not None
        code, about = self._code, self._about
        self._format.emit(code, EVENT, self._event.made if self._event else None, otherwise="None")
        with code.block("try:"):
            for name in _IN_HEADERS:
                code.line(f"ce_{name} = named['{PREFIX}{name}']")
            code.line(f"{ENVELOPE_ID} = b'%b/%b' % (ce_source, ce_id)")
            # Text that is not ASCII, and may not be UTF-8, is treated with care.
            with code.block(
                f"if ce_id and ce_source and ce_type and {ENVELOPE_ID}.isascii() and ce_type.isascii():"
            ):
                arguments = self._from_headers(about)
                code.line(f"{ABOUT} = {code.constant(about.made, 'about')}({arguments})")
                self._refuse_second()
            with code.block("else:"):
                code.line(f"{EVENT} = None")
        with code.block("except (KeyError, TypeError, UnicodeDecodeError):"):
            code.line(f"{EVENT} = None")

    def _from_headers(self, about: StructType) -> str:
        """The arguments that make the struct of attributes: what rules read, up to the last of these."""
        arguments = []
        for name in about.members:
            if name not in self._used.about.fields:
                arguments.append("None")
            elif name in _IN_HEADERS:
                arguments.append(f"ce_{name}.decode()")
            elif name == "datacontenttype":
                arguments.append("content_type.decode() if content_type is not None else None")
            else:
                arguments.append(self._decoded(name))
        while arguments and arguments[-1] == "None":
            arguments.pop()
        return ", ".join(arguments)

    def _decoded(self, name: str) -> str:
        """A Python expression for the text of a header. One that is not UTF-8 raises, and is treated with care."""
        local = self._code.name(name)
        self._code.line(f"{local} = named.get({PREFIX + name!r})")
        return f"{local}.decode() if {local} is not None else None"

    def _refuse_second(self) -> None:
        """Write the way of data that may be a CloudEvent itself."""
        if self._event is None:
            second = f"'specversion' in {EVENT}"
        else:
            second = f"{EVENT}.{self._event.members['specversion'][0]} is not None"
        with self._code.block(f"if {EVENT} is not None and {second}:"):
            self._code.line(f"{EVENT} = None")

    def _with_care(self) -> None:
        super()._with_care()
        members = self._about.members if self._about else None
        if members is None:
            self._code.line(
                f"{ENVELOPE_ID} = {self._constant(event_id)}({ABOUT}.get('source'), {ABOUT}.get('id'))"
            )
        else:
            of = [f"{ABOUT}.{members[name][0]}" for name in ("source", "id")]
            self._code.line(f"{ENVELOPE_ID} = {self._constant(event_id)}({', '.join(of)})")
