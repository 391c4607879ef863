"""Calls of the `jmespath` library in generated code, for what is not compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.mapping.compiler.decoder import plain
from worker.mapping.compiler.objects import ABOUT, EVENT, KAFKA
from worker.mapping.expressions.interpreter import ENVELOPE, Variables, interpret
from worker.mapping.expressions.names import lets_used, reads_envelope
from worker.mapping.expressions.parser import contains

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code
    from worker.mapping.expressions.parser import Node as Syntax


class LibraryCalls:
    """Writes calls of the library into one function. Structs are turned back into the plain JSON values it needs."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def of(self, syntax: Syntax, at: str) -> str:
        """A Python expression that evaluates a tree on the value that `at` names; it can raise `Mismatch`."""
        arguments = [self._code.constant(syntax, "syntax"), self._plain(at), self._kafka(syntax)]
        if contains(syntax, "variable"):
            arguments.append(self._variables(syntax))
        return f"{self._code.constant(interpret)}({', '.join(arguments)})"

    def _variables(self, syntax: Syntax) -> str:
        """`Variables` for the library, with the values of `let`s that are known here."""
        recall = self._code.recall
        item, index = (self._plain(recall(name) or "None") for name in ("$item", "$index"))
        lets = ((let.number, recall(self._code.lets.get(let.number, ""))) for let in lets_used(syntax))
        known = ", ".join(f"{number}: {self._plain(local)}" for number, local in lets if local)
        given = f"{self._plain(EVENT)}, {self._kafka(syntax)}, {item}, {index}, {{{known}}}"
        return f"{self._code.constant(Variables)}({given})"

    def _kafka(self, syntax: Syntax) -> str:
        """What the library finds `_kafka` in, and what the envelope says, for a tree that reads these."""
        reads_kafka = contains(syntax, "kafka") or any(let.uses_kafka for let in lets_used(syntax))
        kafka = KAFKA if reads_kafka else "None"
        if not reads_envelope(syntax):
            return kafka
        about = f"{ENVELOPE!r}: {self._plain(ABOUT)}"
        return f"{{**{kafka}, {about}}}" if reads_kafka else f"{{{about}}}"

    def _plain(self, at: str) -> str:
        return f"{self._code.constant(plain)}({at})" if at in self._code.structs else at
