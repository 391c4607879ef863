"""Debezium's change events in generated code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import msgspec

from worker.core.reasons import Rejected
from worker.formats.envelopes.debezium import OPERATIONS, UNAVAILABLE, Debezium, change_time, row_columns
from worker.formats.json_payload import Payloads
from worker.formats.json_values import UNDECODED, check_depth
from worker.mapping.compiler.decoder import WHOLE, FieldsUsed, StructType, made_of, struct_type_of
from worker.mapping.compiler.envelopes.code import EnvelopeCode
from worker.mapping.compiler.objects import ABOUT, EVENT, Objects

_ROWS = ("before", "after")


class DebeziumCode(EnvelopeCode):
    """Decodes `op`, `source.snapshot`, the columns that rules read, and what they read of `_change`."""

    _source: StructType | None = None

    def _choose_structs(self) -> None:
        about = self._used.about
        row = FieldsUsed(whole=about.whole)
        row.add(self._used.event)
        for name in _ROWS:
            row.add(about.fields.get(name, FieldsUsed()))
        self._event = struct_type_of(row)
        source = FieldsUsed(whole=about.whole, fields={"snapshot": WHOLE, "ts_ms": WHOLE})
        source.add(about.fields.get("source", FieldsUsed()))
        self._source = struct_type_of(source)
        if not about.whole:
            self._about = self._about_struct()

    def _about_struct(self) -> StructType | None:
        """What `_change` is, as far as rules read it."""
        structs = {"before": self._event, "after": self._event, "source": self._source}
        inner = {name: structs.get(name) for name in self._used.about.fields}
        return made_of(
            {name: (Any if each is None else each.made | None, each) for name, each in inner.items()}
        )

    def _change_type(self) -> type[msgspec.Struct]:
        """What a change is decoded to. A value that is of another type has to be treated with care."""
        row: Any = Union[self._event.made if self._event else dict, str, None]  # noqa: UP007 - made for msgspec
        source: Any = Union[self._source.made if self._source else dict, None]  # noqa: UP007 - the same
        fields = [
            ("op", str | None, None),
            ("before", row, None),
            ("after", row, None),
            ("source", source, None),
        ]
        return msgspec.defstruct("Change", [*fields, ("ts_ms", Any, None)], gc=False)

    def _write(self) -> None:
        code = self._code
        change = self._change_type()
        payloads = Payloads(self._types_of_rows, required=False)
        nothing = code.constant(change(), "no_change")
        self._format.emit(code, "change", change, otherwise=nothing, payloads=payloads)
        self._choose_row()
        kind = Objects(code).type(EVENT)
        unusual = f"type({EVENT}) is not {kind} or (other is not None and type(other) is not {kind})"
        with code.block(f"if {unusual} or {UNAVAILABLE.encode()!r} in value or not ({self._fits()}):"):
            self._with_care()
        with code.block("else:"):
            self._unwrap()

    def _types_of_rows(self, schema: Any) -> Any:
        """The types of the columns; `before` and `after` are rows of one table."""
        return self._types_of(row_columns(schema, "after"))

    def _choose_row(self) -> None:
        read = self._constant(document_reader(self._event), "read")
        self._code.lines(f"""
            op = change.op
            if op == 'u' or op == 'c' or op == 'r':
                {EVENT}, other = change.after, change.before
            elif op == 'd':
                {EVENT}, other = change.before, change.after
            else:
                {EVENT} = other = None
            if type({EVENT}) is str:  # MongoDB's connector writes documents as text
                change.before, change.after = {read}(change.before), {read}(change.after)
                {EVENT}, other = change.after, change.before
                if op == 'd':
                    {EVENT}, other = other, {EVENT}
            """)

    def _unwrap(self) -> None:
        """Write the rest for a change with its rows."""
        self._code.lines(f"""
            source = change.source
            of_snapshot = {self._of_source("snapshot")} if source is not None else None
            snapshot = op == 'r' or not (of_snapshot is None or of_snapshot is False or of_snapshot in ('false', ''))
            """)
        sends_snapshots = isinstance(self._file.envelope, Debezium) and self._file.envelope.send_snapshots
        if not sends_snapshots:
            with self._code.block("if snapshot:"):
                self._ignore("'snapshot'")
        if self._used.reads_about:
            self._code.line(f"{ABOUT} = {self._about_text()}")

    def _of_source(self, name: str) -> str:
        if self._source is None:
            return f"source.get({name!r})"
        return f"source.{self._source.members[name][0]}"

    def _about_text(self) -> str:
        """A Python expression for what `_change` is."""
        ops = self._constant(OPERATIONS, "operations")
        time = f"{self._of_source('ts_ms')} if source is not None else None"
        texts = {
            "op": f"{ops}[op]",
            "before": "change.before",
            "after": "change.after",
            "source": "source",
            "snapshot": "snapshot",
            "timestamp": f"{self._constant(change_time)}({time}, change.ts_ms)",
        }
        if self._about is None:
            return f"{{{', '.join(f'{name!r}: {text}' for name, text in texts.items())}}}"
        given = ", ".join(texts.get(name, "None") for name in self._about.members)
        return f"{self._constant(self._about.made, 'about')}({given})"


def document_reader(row: StructType | None) -> Callable[[Any], Any]:
    """A function that reads a row from text; it returns a text that it cannot read, which needs care, as it is."""
    loads = msgspec.json.Decoder(row.made if row else dict).decode

    def read(text: Any) -> Any:
        if type(text) is not str:
            return text
        try:
            check_depth(text.encode())
            return loads(text)
        except (Rejected, *UNDECODED):
            return text

    return read
