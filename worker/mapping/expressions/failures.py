"""How evaluating an expression fails."""

from __future__ import annotations


class ExpressionFailed(Exception):  # noqa: N818 - says that a record is rejected, not that the program fails
    """This event has a value that the expression cannot work with. The text never quotes it."""


class Mismatch(Exception):  # noqa: N818 - not an error: the expression's value is null
    """A function was given null, or a type that it does not accept."""
