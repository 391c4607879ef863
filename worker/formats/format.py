"""The interface of a format, which decodes the bytes of a record's value to an event.

To add a format, implement `Format` and add it to `FORMATS` (`formats.py`): the key `format` of mapping files, its JSON
Schema, the compiler and `map` read that table. Fixtures, `worker/testing.py` and `dlq show` do not: they assume that
values are JSON, and encode or decode them with `orjson`.

An envelope (Debezium, CloudEvents, Connect) is not a format: it takes an event that a format decoded, and passes the
event inside to the rules. It can do so in both ways below: on decoded values, or by translating the fields used of the
inner event to fields of the outer one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol


class SourceWriter(Protocol):
    """Writes Python source, for `Format.emit`; implemented by `worker.mapping.compiler.source.Code`."""

    def line(self, text: str) -> None:
        """Write one statement."""

    def block(self, header: str) -> AbstractContextManager[None]:
        """Write a compound statement; lines written inside the `with` block are its body."""

    def constant(self, value: object, hint: str) -> str:
        """A name for this object in the generated function."""


class Format(Protocol):
    """One way to encode events."""

    def decode(self, value: bytes) -> dict[str, Any]:
        """The whole event, of plain JSON values.

        Raises:
            Rejected: with stage `decode`.
        """

    def emit(self, code: SourceWriter, event: str, struct_type: type | None) -> None:
        """Write statements that decode the local variable `value` (bytes), and may assign to it.

        Args:
            code: the function under construction.
            event: the name of the local variable for the event.
            struct_type: a `msgspec.Struct` with the fields used, to decode no others; None to decode all to a dict.
                The statements raise what `decode` raises.
        """
