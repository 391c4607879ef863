"""How parsing and evaluating an expression fail."""

from __future__ import annotations


class ExpressionFailed(Exception):  # noqa: N818 - says that a record is rejected, not that the program fails
    """This event has a value that the expression cannot work with. The text never quotes it."""


class Mismatch(Exception):  # noqa: N818 - not an error: the expression's value is null
    """A function was given null, or a type that it does not accept."""


class ExpressionError(Exception):
    """The text is not a valid expression.

    Attributes:
        message: what is wrong with it.
        position: where, as an index into the text, from 0.
        hint: what to write instead, where that is known.
    """

    def __init__(self, message: str, position: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint
