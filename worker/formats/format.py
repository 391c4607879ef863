"""The interface of a format, which decodes the bytes of a record's value into an event.

To add a format, implement `Format` and add it to `FORMATS` (`formats.py`): the keys `format` and `key_format` of
mapping files, their JSON Schema and the compiler read that table. A format that needs a schema for each record
implements only `Codec` (`with_schema.py`). Fixtures and `map` take events as JSON, whatever the format.

An envelope (Debezium, CloudEvents, Connect) is not a format: it finds the event in what a format has decoded, see
`worker.formats.envelopes`. It uses both methods below: `decode` for whole values, and `emit` with a struct of what the
rules read of the envelope and of the event in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from worker.core.record_reading import NO_HEADERS, RecordHeaders
from worker.core.records import Record
from worker.formats.json_payload import Payloads
from worker.formats.python_source import PythonSource
from worker.formats.schemas import SchemaId


class Format(Protocol):
    """An encoding of events, as one mapping file describes it."""

    def decode(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> dict[str, Any]:
        """Decode the whole event to plain JSON values.

        Args:
            value: the record's value.
            headers: of the record, which may say what its schema is.

        Raises:
            Rejected: with stage `decode`.
        """
        ...

    def decode_any(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> Any:
        """Decode a value, or a key, that may be any JSON value. See `decode`."""

    def emit(
        self,
        code: PythonSource,
        event: str,
        struct_type: type[msgspec.Struct] | None,
        *,
        otherwise: str | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        """Write statements that decode the bytes in the local variable `value`, and may assign to it.

        The statements raise what `decode` raises. They may read the local variable `record`.

        Args:
            code: the generated function.
            event: the local variable for the event.
            struct_type: a `msgspec.Struct` with the fields used, so that no others are decoded; None to decode the
                whole event to a dict.
            otherwise: a Python expression for what `event` is if the value cannot be decoded so, in place of an
                exception: the function then treats the record with care.
            payloads: finds the payload of `{"schema": ..., "payload": ...}`, of which only that is decoded; None where
                values have no schema beside them. The local variable `types` is then what it found in the schema.
        """


class NeedsSchemas(Protocol):
    """What a format implements too if its records cannot be decoded before their schemas are fetched."""

    def missing(self, records: Sequence[Record]) -> dict[int, SchemaId]:
        """The records that cannot be decoded yet, by their index, and the id of the schema that is not there.

        Records whose decoding is going to be refused are not among them.
        """
        ...
