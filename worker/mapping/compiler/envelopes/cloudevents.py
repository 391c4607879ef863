"""CloudEvents in generated code."""

from __future__ import annotations

from typing import Any, Union

from worker.core.record_reading import UNREADABLE, read_headers
from worker.formats.envelopes.cloudevents import CONTENT_TYPE, DATA, OPTIONAL, PREFIX, REQUIRED, STRUCTURED
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, StructType, made_of, struct_type_of
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.compiler.values import EVENT
from worker.mapping.kafka_fields import as_text

_PARAMETERS = ("", "; charset=UTF-8", "; charset=utf-8", ";charset=UTF-8", ";charset=utf-8")
_STRUCTURED_TYPES = frozenset(f"{STRUCTURED}{rest}".encode() for rest in _PARAMETERS)
_JSON_TYPES = frozenset([None, *(f"application/json{rest}".encode() for rest in _PARAMETERS)])
"""The spellings of content types that producers use; all others are treated with care."""


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
        structured = self._constant(_STRUCTURED_TYPES, "structured_types")
        plain = f"content_type is None and '{PREFIX}specversion' not in named"
        with code.block(f"if content_type in {structured} or ({plain}):"):
            self._structured()
        with code.block(
            f"elif content_type in {self._constant(_JSON_TYPES, 'json_types')}"
            f" and named.get('{PREFIX}specversion') == b'1.0' and '{PREFIX}datacontenttype' not in named:"
        ):
            self._binary()

    def _structured(self) -> None:
        assert self._about is not None
        code, about = self._code, self._about
        nothing = code.constant(about.empty, "no_event")
        self._format.emit(code, ABOUT, about.made, otherwise=nothing)
        of = {name: f"{ABOUT}.{attribute}" for name, (attribute, _) in about.members.items()}
        complete = f"{of['specversion']} == '1.0' and {of['id']} and {of['source']} and {of['type']}"
        with code.block(f"if {complete} and {of['data_base64']} is None:"):
            code.line(f"{EVENT} = {of['data']}")
            self._refuse_second()

    def _binary(self) -> None:
        assert self._about is not None
        code, about = self._code, self._about
        self._format.emit(code, EVENT, self._event.made if self._event else None, otherwise="None")
        for name in ("id", "source", "type"):
            code.line(f"ce_{name} = named.get('{PREFIX}{name}')")
        with code.block("if ce_id and ce_source and ce_type:"):
            code.line(f"{ABOUT} = {code.constant(about.made, 'about')}({self._from_headers(about)})")
            complete = " or ".join(
                f"{ABOUT}.{about.members[name][0]} is None" for name in ("id", "source", "type")
            )
            with code.block(f"if {complete}:"):
                code.line(f"{EVENT} = None")
            self._refuse_second()
        with code.block("else:"):
            code.line(f"{EVENT} = None")

    def _from_headers(self, about: StructType) -> str:
        """The arguments that make the struct of attributes: all required ones, and what rules read."""
        text = self._constant(as_text)
        arguments = []
        for name, (attribute, _) in about.members.items():
            if name in ("id", "source", "type"):
                arguments.append(f"{attribute}={text}(ce_{name})")
            elif name == "datacontenttype" and name in self._used.about.fields:
                arguments.append(f"{attribute}={text}(content_type)")
            elif name in self._used.about.fields:
                arguments.append(f"{attribute}={text}(named.get({PREFIX + name!r}))")
        return ", ".join(arguments)

    def _refuse_second(self) -> None:
        """Write the way of data that may be a CloudEvent itself."""
        if self._event is None:
            second = f"'specversion' in {EVENT}"
        else:
            second = f"{EVENT}.{self._event.members['specversion'][0]} is not None"
        with self._code.block(f"if {EVENT} is not None and {second}:"):
            self._code.line(f"{EVENT} = None")
