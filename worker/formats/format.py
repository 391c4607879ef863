"""The interface of a format, which decodes the bytes of a record's value into an event.

To add a format, implement `Format` and add it to `FORMATS` (`formats.py`): the key `format` of mapping files, its JSON
Schema, the compiler and `map` read that table. Fixtures, `worker/testing.py` and `dlq show` do not: they assume that
values are JSON, and encode or decode them with `orjson`.

An envelope (Debezium, CloudEvents, Connect) is not a format: it finds the event in what a format has decoded, see
`worker.formats.envelopes`. It uses both methods below: `decode` for whole values, and `emit` with a struct of what the
rules read of the envelope and of the event in it.
"""

from __future__ import annotations

from typing import Any, Protocol

from worker.formats.json_payload import Payloads
from worker.formats.source_writer import SourceWriter


class Format(Protocol):
    """An encoding of events."""

    def decode(self, value: bytes) -> dict[str, Any]:
        """Decode the whole event to plain JSON values.

        Raises:
            Rejected: with stage `decode`.
        """

    def emit(
        self,
        code: SourceWriter,
        event: str,
        struct_type: type | None,
        *,
        otherwise: str | None = None,
        payloads: Payloads | None = None,
    ) -> None:
        """Write statements that decode the bytes in the local variable `value`, and may assign to it.

        The statements raise what `decode` raises.

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
