"""What a format needs of the code generator, which is above the formats."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class SourceWriter(Protocol):
    """Writes a generated function, for a format's part of it; implemented by `worker.mapping.compiler.source.Code`."""

    def line(self, text: str) -> None:
        """Write one statement."""

    def block(self, header: str) -> AbstractContextManager[None]:
        """Write a compound statement; statements written in the context are its body."""

    def constant(self, value: object, hint: str) -> str:
        """The name of this object in the generated function."""
