"""What can go wrong in an expression."""

from __future__ import annotations


class ExpressionFailed(Exception):  # noqa: N818 - a verdict on a record, not a fault of the program
    """This event has a value that the expression cannot work with. The text never quotes it."""


class Mismatch(Exception):  # noqa: N818 - not an error: the expression's value is null
    """A function was given null or another type than it takes."""
