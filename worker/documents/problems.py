"""Problems of a configuration, with their place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration, and where it is.

    Attributes:
        message: what is wrong, in the configuration's own words.
        file: the file as the user named it; an environment variable's name where the value came from there.
        line: counted from 1; None where the problem is of the whole file.
        column: counted from 1.
        hint: what to do about it: a near match, an example.
        warning: True if the worker starts in spite of it.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    warning: bool = False

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        kind = "warning: " if self.warning else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {kind}{self.message}{hint}" if place else f"{kind}{self.message}{hint}"


class ConfigError(Exception):
    """All problems of a configuration at once; raised before anything starts."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
