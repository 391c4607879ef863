"""CloudEvents in generated code."""

from __future__ import annotations

from typing import Any, Union

from worker.core.record_reading import UNREADABLE, read_headers
from worker.formats.envelopes.cloudevents import DATA, OPTIONAL, REQUIRED
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, StructType, made_of, struct_type_of
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.envelopes.headers import HeaderReaders, unknown_layout
from worker.mapping.compiler.objects import ABOUT, ENVELOPE_ID, EVENT


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
        read = tuple(self._used.about.fields)
        names = [*read, *(name for name in REQUIRED + OPTIONAL if name not in read)]
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
        readers = HeaderReaders(self._about.made, tuple(self._used.about.fields))
        newest, read = code.own(lambda _: {}, "newest"), code.constant(readers.read, "read_layout")
        code.lines(f"""
            headers = {code.constant(read_headers)}(record)
            found = {newest}.get(len(headers), {code.constant(unknown_layout)})(headers)
            if found is None and headers is not {code.constant(UNREADABLE, "unreadable")}:
                found = {read}(headers, {newest})
            {EVENT} = None
            """)
        with code.block("if found is True:"):
            self._structured(self._about)
        with code.block("elif found is not None:"):
            self._format.emit(code, EVENT, self._event.made if self._event else None, otherwise="None")
            code.line(f"{ABOUT}, {ENVELOPE_ID} = found")
            self._refuse_second()
        with code.block(f"if {EVENT} is None:"):
            self._with_care()

    def _structured(self, about: StructType) -> None:
        code = self._code
        nothing = code.constant(about.empty, "no_event")
        self._format.emit(code, ABOUT, about.made, otherwise=nothing)
        of = {name: f"{ABOUT}.{attribute}" for name, (attribute, _) in about.members.items()}
        complete = f"{of['specversion']} == '1.0' and {of['id']} and {of['source']} and {of['type']}"
        with code.block(f"if {complete} and {of['data_base64']} is None:"):
            code.line(f"{EVENT} = {of['data']}")
            code.line(f'{ENVELOPE_ID} = f"{{{of["source"]}}}/{{{of["id"]}}}".encode()')
            self._refuse_second()

    def _refuse_second(self) -> None:
        """Write what happens to data that may be a CloudEvent itself."""
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
