"""How the records of one mapping file are decoded: value, envelope and key, as plain JSON values.

Explanations, the search for the place of a rejection, and tests read records this way. Converters decode the same in
generated code.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import read_headers
from worker.core.records import Record
from worker.formats.envelopes.unwrapped import Envelope, Unwrapped, refuse
from worker.formats.format import Format
from worker.formats.json_format import JsonFormat
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.interpreter import ENVELOPE
from worker.mapping.expressions.names import Names
from worker.mapping.files.rules import MappingFile
from worker.mapping.kafka_fields import as_text, kafka_fields


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record as rules see it.

    Attributes:
        event: the event.
        kafka: `_kafka`, and under `interpreter.ENVELOPE` what `_change` or `_ce` is.
        tombstone: whether it has no value.
        ignored: the word for a record that no rule sees, such as `snapshot`; None for all others.
        key_fault: why the key cannot be decoded: rejects where the key is read.
    """

    event: dict[str, Any]
    kafka: dict[str, Any]
    tombstone: bool
    ignored: str | None = None
    key_fault: Rejected | None = None


class Decoding:
    """Decodes the records of a mapping file.

    Args:
        values: the format of values.
        envelope: what stands around each event.
        keys: see `MappingFile.keys`.

    Attributes:
        envelope: as given.
        defaults: the envelope's expressions for fields of calls.
    """

    def __init__(
        self, values: Format | None = None, envelope: Envelope | None = None, keys: Format | None = None
    ) -> None:
        self.envelope = envelope
        self.defaults: dict[str, Expression] = {}
        if envelope is not None:
            for name, text in envelope.defaults.items():
                self.defaults[name] = Expression.parse(text, Names(root=envelope.root))
        self._value = (values or JsonFormat()).decode
        self._keys = keys

    @classmethod
    def of(cls, file: MappingFile) -> Decoding:
        """How the records of a mapping file are decoded."""
        return cls(file.values, file.envelope, file.keys)

    def decoded(self, record: Record, columns: Collection[str] | None = ()) -> Decoded:
        """Decode a whole record; see `unwrapped`.

        Raises:
            Rejected: with stage `decode`.
        """
        unwrapped = self.unwrapped(record, columns)
        kafka = kafka_fields(record) | {"tombstone": unwrapped.tombstone}
        if unwrapped.about is not None:
            kafka[ENVELOPE] = unwrapped.about
        fault = None
        try:
            kafka["key"] = self.key(record)
        except Rejected as rejected:
            kafka["key"], fault = None, rejected
        return Decoded(unwrapped.event, kafka, unwrapped.tombstone, unwrapped.ignored, fault)

    def unwrapped(self, record: Record, columns: Collection[str] | None = ()) -> Unwrapped:
        """Decode a record's value, and take its envelope off.

        Args:
            record: the record.
            columns: the event's fields that are compared with a schema beside it; a converter compares those that
                its rules read, and explanations none.

        Raises:
            Rejected: with stage `decode`.
        """
        value, envelope = record.value(), self.envelope
        if envelope is None:
            if value is None:
                return Unwrapped(tombstone=True)
            return Unwrapped(self._value(value, read_headers(record)))
        headers = read_headers(record)
        envelope.check(headers)
        if value is None:
            return envelope.of_tombstone(headers)
        try:
            decoded = self._value(value, headers)
        except Rejected as rejected:
            if rejected.reason == "NOT_AN_OBJECT":
                refuse(f"{rejected.detail.rstrip('.')}: {envelope.expected}.")
            raise
        return envelope.unwrap(decoded, headers, columns)

    def key(self, record: Record) -> Any:
        """Decode a record's key; None for none.

        Raises:
            Rejected: with stage `decode`.
        """
        key = record.key()
        if key is None:
            return None
        decoded = self._decoded_key(key, record)
        return decoded if self.envelope is None else self.envelope.key(decoded)

    def _decoded_key(self, key: bytes, record: Record) -> Any:
        return as_text(key) if self._keys is None else self._keys.decode_any(key, read_headers(record))


PLAIN = Decoding()
"""JSON without an envelope, and keys that are text."""
