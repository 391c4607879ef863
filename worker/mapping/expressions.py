"""JMESPath expressions over an event: parsed once, run by the library or compiled to Python source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jmespath

if TYPE_CHECKING:
    from worker.mapping.codegen import Code


class ExpressionError(Exception):
    """The expression cannot be parsed. `position` is the index into its text, from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class ExpressionFailed(Exception):  # noqa: N818 - a verdict on a record, not a fault of the program
    """The expression is right, and this event has a value that it cannot work with (a division by zero, ...)."""


class Expression:
    def __init__(self, text: str) -> None:
        self.text = text
        self.uses_kafka = "_kafka" in text
        self.fields: frozenset[str] | None = None
        self._parsed = jmespath.compile(text)

    @classmethod
    def parse(cls, text: str) -> Expression:
        try:
            return cls(text)
        except ValueError:
            raise ExpressionError("not a JMESPath expression", 0) from None

    def search(self, event: dict[str, Any], kafka: dict[str, Any] | None) -> Any:
        return self._parsed.search({**event, "_kafka": kafka})

    def emit(self, code: Code, event: str = "event", kafka: str = "kafka") -> str:
        return f"{code.constant(self)}.search({event}, {kafka})"

    def emit_condition(self, code: Code, event: str = "event", kafka: str = "kafka") -> str:
        value = code.share(self.emit(code, event, kafka), "condition")
        return f"({value} or {value} == 0 and {value} is not False)"
