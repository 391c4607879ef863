"""Formats that need a schema: each record's decoder is found by the id of the schema that it was written with.

What is common to Avro and Protobuf is here; a `Codec` knows one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

import msgspec

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import NO_HEADERS, RecordHeaders, read_headers
from worker.core.records import Record
from worker.formats.encoding import Encoding
from worker.formats.json_payload import Payloads
from worker.formats.python_source import PythonSource
from worker.formats.schema_ids import Frame, SchemaIds
from worker.formats.schemas import MAX_SCHEMAS, NoSchema, Schema, SchemaId, Schemas
from worker.formats.wanted import WHOLE, Wanted, wanted_event

Decoder = Callable[[bytes], Any]
"""Decodes a value, including its prefix. Raises `Rejected`."""


_UNUSUAL = (Rejected, msgspec.ValidationError)
"""What a decoder raises for a value that is none, or is not of the types that a struct has."""


class Codec(Protocol):
    """Makes decoders for one format from schemas.

    Attributes:
        reason: of the rejection of bytes that are not of the format.
    """

    reason: str

    def decoder(self, schema: Schema, frame: Frame, wanted: Wanted) -> Decoder:
        """Make the decoder of values with this schema. Slow: it is kept.

        Args:
            schema: the writer's.
            frame: what stands around the data, the same for all values that the decoder gets but for a message index.
            wanted: what the decoder returns. If `wanted.event`, the decoder refuses other values than objects with
                `NOT_AN_OBJECT`.

        Raises:
            Rejected: no value can be decoded with this schema.
        """
        ...


class SchemaFormat:
    """A format whose records are decoded by schema. Implements `Format`.

    Args:
        codec: the format.
        encoding: where schemas and their ids are.
        schemas: the schemas that were fetched.
    """

    def __init__(self, codec: Codec, encoding: Encoding, schemas: Schemas) -> None:
        self._codec = codec
        self._encoding = encoding
        self._schemas = schemas
        self._ids = SchemaIds(encoding, codec.reason)
        self._ready: set[bytes] = set()
        self._dropped = schemas.dropped
        self._whole = Decoders(self, WHOLE)
        self._events = Decoders(self, wanted_event(None))

    def decode(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> dict[str, Any]:
        """See `Format.decode`."""
        event: dict[str, Any] = self._events.find(value, headers)(value)
        return event

    def decode_any(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> Any:
        """See `Format.decode_any`."""
        return self._whole.find(value, headers)(value)

    @property
    def needs_registry(self) -> bool:
        """Whether schemas come from a registry, and not from a file."""
        return self._encoding.schema is None

    def check(self) -> None:
        """Try the schema of the mapping's file.

        Raises:
            Rejected: no value can be decoded with it.
        """
        assert self._encoding.schema is not None, "there is a file"
        self._codec.decoder(self._encoding.schema, Frame(None, self._ids.prefix), wanted_event(None))

    def missing(self, records: Sequence[Record]) -> dict[int, SchemaId]:
        """The records that cannot be decoded yet, by their index, and the id of the schema that is not there.

        Records whose decoding is going to be refused are not among them.
        """
        missing: dict[int, SchemaId] = {}
        if self._encoding.schema is not None:
            return missing
        if self._dropped != self._schemas.dropped:
            self._dropped = self._schemas.dropped
            self._ready.clear()
        ready, prefix, reads_headers = self._ready, self._ids.prefix, self._ids.reads_headers
        of_key = self._encoding.of_key
        for index, record in enumerate(records):
            value = record.key() if of_key else record.value()
            if value is None:
                continue
            headers = read_headers(record) if reads_headers else ()
            if not headers and value[:prefix] in ready:
                continue
            id_ = self._missing_id(value, list(headers))
            if id_ is not None:
                missing[index] = id_
        return missing

    def _missing_id(self, value: bytes, headers: RecordHeaders) -> SchemaId | None:
        try:
            frame = self._ids.find(value, headers)
        except Rejected:
            return None
        if frame.id is None:
            return None
        if self._schemas.get(frame.id) is None:
            return frame.id
        if not frame.in_header:
            self._ready.add(value[: self._ids.prefix])
        return None

    def emit(
        self,
        code: PythonSource,
        event: str,
        struct_type: type[msgspec.Struct] | None,
        *,
        otherwise: str | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        """See `Format.emit`. The decoder of each schema makes the struct itself."""
        if payloads is not None:  # only JSON has them
            code.line("types = None")
        if otherwise is None:
            self._emit(code, event, struct_type)
        elif payloads is not None and payloads.required:
            code.line(f"{event} = {otherwise}")
        else:
            with code.block("try:"):
                self._emit(code, event, struct_type)
            with code.block(f"except {code.constant(_UNUSUAL, 'unusual')}:"):
                code.line(f"{event} = {otherwise}")

    def _emit(self, code: PythonSource, event: str, struct_type: type[msgspec.Struct] | None) -> None:
        decoders = Decoders(self, wanted_event(struct_type))
        find = code.constant(decoders.find, "find_decoder")
        by_prefix = f"{code.constant(decoders.by_prefix, 'decoders')}.get(value[:{self._ids.prefix}])"
        if self._ids.reads_headers:
            code.line(f"headers_of_schema = {code.constant(read_headers, 'read_headers')}(record)")
            code.line(f"decode = None if headers_of_schema else {by_prefix}")
        else:
            code.line("headers_of_schema = ()")
            code.line(f"decode = {by_prefix}")
        with code.block("if decode is None:"):
            code.line(f"decode = {find}(value, headers_of_schema)")
        code.line(f"{event} = decode(value)")

    def frame_of(self, value: bytes, headers: RecordHeaders) -> Frame:
        """See `SchemaIds.find`."""
        return self._ids.find(value, headers)

    def prefix_of(self, value: bytes) -> bytes:
        """The bytes that tell the frame of a value where no header does."""
        return value[: self._ids.prefix]

    def decoder(self, frame: Frame, wanted: Wanted) -> Decoder:
        """Make the decoder for a frame.

        Raises:
            Rejected: its schema is not there.
        """
        schema = self._schema(frame)
        try:
            return self._codec.decoder(schema, frame, wanted)
        except Rejected as rejected:
            return _refusing(rejected.reason, rejected.detail)

    def _schema(self, frame: Frame) -> Schema:
        if self._encoding.schema is not None:
            return self._encoding.schema
        assert frame.id is not None, "SchemaIds.find"
        schema = self._schemas.get(frame.id)
        if schema is None:
            self._refuse("SCHEMA_NOT_FOUND", f"No registry was asked for the schema with the {frame.id}.")
        if isinstance(schema, NoSchema):
            self._refuse("SCHEMA_NOT_FOUND" if schema.unknown else self._codec.reason, schema.detail)
        return schema

    @staticmethod
    def _refuse(reason: str, detail: str) -> NoReturn:
        raise Rejected(Stage.DECODE, reason, detail)


def _refusing(reason: str, detail: str) -> Decoder:
    """The decoder of values whose schema is of no use, so that it is not read again for each of them."""

    def refuse(_value: bytes) -> NoReturn:
        raise Rejected(Stage.DECODE, reason, detail)

    return refuse


class Decoders:
    """The decoders that make one thing of values, by what stands around the data.

    Args:
        of: the format.
        wanted: what they make.

    Attributes:
        by_prefix: those of values whose frame no header tells.
    """

    def __init__(self, of: SchemaFormat, wanted: Wanted) -> None:
        self.by_prefix: dict[bytes, Decoder] = {}
        self._by_frame: dict[Frame, Decoder] = {}
        self._of = of
        self._wanted = wanted

    def find(self, value: bytes, headers: RecordHeaders) -> Decoder:
        """The decoder of a value.

        Raises:
            Rejected: it has none.
        """
        frame = self._of.frame_of(value, headers)
        decoder = self._by_frame.get(frame)
        if decoder is None:
            if len(self._by_frame) >= MAX_SCHEMAS:
                self._by_frame.clear()
                self.by_prefix.clear()
            decoder = self._by_frame[frame] = self._of.decoder(frame, self._wanted)
        if not frame.in_header:
            self.by_prefix[self._of.prefix_of(value)] = decoder
        return decoder
