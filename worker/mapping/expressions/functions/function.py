"""A function of the expression language, as a row of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_SIGNATURE = re.compile(r"(\w+)\((.*)\)")

NULL_OTHERWISE = "Null, and any other type: null."
"""What nearly every function does with an argument of a wrong type: the whole expression is null."""


class Computed:
    """Stands for an argument that is not a literal."""


COMPUTED: Final = Computed()


class InvalidArgumentError(Exception):
    """A literal argument with which no call can succeed: found when the expression is parsed.

    Attributes:
        index: which argument.
        message: what is wrong with it.
        hint: what to write instead.
    """

    def __init__(self, index: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.index = index
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the expression language.

    Attributes:
        signature: the name and the parameters: `[, x]` may be left out, `...` stands for any number.
        meaning: what it returns, in one line.
        example: an expression that works on any event.
        result: the value of `example`, as JSON.
        call: the function; None where it is the library's or evaluated by the interpreter itself.
        wrong_type: what happens with an argument of another type.
        fails: which values of the right type reject the record with `EXPRESSION_FAILED`; empty if none does.
        check: raises `InvalidArgumentError` for literal arguments that cannot be right; gets `COMPUTED` for the others.
        least_given: how many arguments it needs, where the signature does not say it.
    """

    signature: str
    meaning: str
    example: str
    result: str
    call: Callable[..., Any] | None = None
    wrong_type: str = NULL_OTHERWISE
    fails: str = ""
    check: Callable[[Sequence[Any]], None] | None = None
    least_given: int | None = None

    @property
    def name(self) -> str:
        """The function's name."""
        return self.signature.partition("(")[0]

    @property
    def least(self) -> int:
        """How many arguments it needs."""
        return (
            len(self._parameters(self.signature.partition("[")[0]))
            if self.least_given is None
            else self.least_given
        )

    @property
    def most(self) -> int | None:
        """How many arguments it takes; None for any number."""
        return None if "..." in self.signature else len(self._parameters(self.signature))

    @staticmethod
    def _parameters(text: str) -> list[str]:
        inside = text.partition("(")[2].strip(")").replace("[", "").replace("]", "")
        return [each for each in inside.split(", ") if each and each != "..."]
