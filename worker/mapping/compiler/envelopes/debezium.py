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
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.compiler.values import EVENT

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
        inner = {"before": self._event, "after": self._event, "source": self._source}
        return made_of(
            {name: (name_type(inner.get(name), name), inner.get(name)) for name in self._used.about.fields}
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
        with code.block("if value is None:"):
            self._with_care()
        with code.block("else:"):
            change = self._change_type()
            payloads = Payloads(self._types_of_rows, required=False)
            nothing = code.constant(change(), "no_change")
            self._format.emit(code, "change", change, otherwise=nothing, payloads=payloads)
            self._choose_row()
            kind = self._event_type()
            unusual = f"type({EVENT}) is not {kind} or (other is not None and type(other) is not {kind})"
            with code.block(f"if {unusual} or {UNAVAILABLE.encode()!r} in value or not ({self._fits()}):"):
                self._with_care()
            with code.block("else:"):
                self._unwrap()

    def _types_of_rows(self, schema: Any) -> Any:
        """The types of the columns; `before` and `after` are rows of one table."""
        return self._types_of(row_columns(schema, "after"))

    def _choose_row(self) -> None:
        code = self._code
        code.line("op = change.op")
        with code.block("if op == 'u' or op == 'c' or op == 'r':"):
            code.line(f"{EVENT}, other = change.after, change.before")
        with code.block("elif op == 'd':"):
            code.line(f"{EVENT}, other = change.before, change.after")
        with code.block("else:"):
            code.line(f"{EVENT} = other = None")
        with code.block(f"if type({EVENT}) is str:"):
            self._read_documents()

    def _read_documents(self) -> None:
        """Write the reading of rows that are text: MongoDB's connector writes documents so."""
        code, read = self._code, self._constant(document_reader(self._event), "read")
        code.line(f"{EVENT}, other = {read}({EVENT}), {read}(other)")
        if self._used.reads_about:
            with code.block("if op == 'd':"):
                code.line(f"change.before, change.after = {EVENT}, other")
            with code.block("else:"):
                code.line(f"change.after, change.before = {EVENT}, other")

    def _unwrap(self) -> None:
        """Write the rest for a change with its rows."""
        code = self._code
        code.line("source = change.source")
        code.line(f"of_snapshot = {self._of_source('snapshot')} if source is not None else None")
        is_snapshot = (
            "op == 'r' or not (of_snapshot is None or of_snapshot is False or of_snapshot in ('false', ''))"
        )
        if "snapshot" in self._used.about.fields or self._used.about.whole:
            code.line(f"snapshot = {is_snapshot}")
            is_snapshot = "snapshot"
        if not self._sends_snapshots():
            with code.block(f"if {is_snapshot}:"):
                self._ignore("'snapshot'")
        if self._used.reads_about:
            code.line(f"{ABOUT} = {self._about_text()}")

    def _sends_snapshots(self) -> bool:
        return isinstance(self._file.envelope, Debezium) and self._file.envelope.send_snapshots

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


def name_type(struct: StructType | None, name: str) -> Any:
    """The type of a member of `_change`."""
    if name not in (*_ROWS, "source") or struct is None:
        return Any
    return Union[struct.made, None]  # noqa: UP007 - made for msgspec
