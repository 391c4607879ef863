"""Calls of the `jmespath` library in generated code, for what is not compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.mapping.compiler.decoder import plain
from worker.mapping.compiler.objects import ABOUT
from worker.mapping.expressions.interpreter import ENVELOPE, Variables, interpret
from worker.mapping.expressions.names import lets_used, reads_envelope
from worker.mapping.expressions.parser import contains

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code
    from worker.mapping.expressions.parser import Node as Syntax


class LibraryCalls:
    """Writes calls for one expression. The library needs plain JSON values, so structs are turned back into these.

    Args:
        code: the function under construction.
        event: the name that holds the event.
        kafka: the name that holds `_kafka`, or "None".
    """

    def __init__(self, code: Code, event: str, kafka: str) -> None:
        self._code = code
        self._event = event
        self._kafka = kafka

    def of(self, syntax: Syntax, at: str, kafka: str) -> str:
        """A Python expression that evaluates a tree on the value that `at` names; it can raise `Mismatch`."""
        arguments = [self._code.constant(syntax, "syntax"), self._plain(at), self._with_about(syntax, kafka)]
        if contains(syntax, "variable"):
            arguments.append(self._variables(syntax))
        return f"{self._code.constant(interpret)}({', '.join(arguments)})"

    def _variables(self, syntax: Syntax) -> str:
        """`Variables` for the library, with the values of `let`s that are known here."""
        recall = self._code.recall
        item, index = (self._plain(recall(name) or "None") for name in ("$item", "$index"))
        lets = ((let.number, recall(self._code.lets.get(let.number, ""))) for let in lets_used(syntax))
        known = ", ".join(f"{number}: {self._plain(local)}" for number, local in lets if local)
        kafka = self._with_about(syntax, self._kafka)
        event = self._plain(self._event)
        return f"{self._code.constant(Variables)}({event}, {kafka}, {item}, {index}, {{{known}}})"

    def _with_about(self, syntax: Syntax, kafka: str) -> str:
        """`_kafka`, beside which the library finds what the envelope says, for a tree that reads that."""
        if not reads_envelope(syntax):
            return kafka
        about = f"{ENVELOPE!r}: {self._plain(ABOUT)}"
        return f"{{{about}}}" if kafka == "None" else f"{{**{kafka}, {about}}}"

    def _plain(self, at: str) -> str:
        return f"{self._code.constant(plain)}({at})" if at in self._code.structs else at
