"""What a format is: how the bytes of a record's value become an event.

An envelope (Debezium, CloudEvents, Connect) is no format: it takes an event that a format decoded, and hands the rules
the event inside. It can do so for both ways below: on decoded values, and by saying which fields of the outer
event are used where these fields of the inner one are.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol


class SourceWriter(Protocol):
    """What a format needs to write its part of a generated function; `worker.mapping.compiler.source.Code` is one."""

    def line(self, text: str) -> None:
        """Write one statement."""

    def block(self, header: str) -> AbstractContextManager[None]:
        """Write a compound statement, with what is written inside of it."""

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
        """Write statements that decode the local `value`, bytes, and may assign to it.

        Args:
            code: the function under construction.
            event: the local that shall hold the event.
            struct_type: a `msgspec.Struct` with the fields used, to decode no others; None to decode all to a dict.
                The statements raise what `decode` raises.
        """
