"""Python source under construction: what decoders and mappings are compiled to."""

from __future__ import annotations

import itertools
import linecache
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_HINT = 24


class PythonSource:
    """Source that is written statement by statement.

    Names made by `name` and `constant` end in `_` and a number. Names that the caller chooses must not.

    Args:
        globals_: objects that the source calls by these names.

    Attributes:
        numbers: what names end in.
    """

    def __init__(self, globals_: Mapping[str, object] | None = None) -> None:
        self.numbers: Iterator[int] = itertools.count(1)
        self._lines: list[tuple[int, str]] = []
        self._depth = 0
        self._globals: dict[str, Any] = {"__name__": __name__, **(globals_ or {})}  # which error texts name
        self._constants: dict[int, str] = {}

    def line(self, text: str) -> None:
        """Write one statement."""
        self._lines.append((self._depth, text))

    def lines(self, text: str) -> None:
        """Write several statements, which are indented as in Python."""
        for line in textwrap.dedent(text).strip().splitlines():
            statement = line.lstrip()
            self._lines.append((self._depth + (len(line) - len(statement)) // 4, statement))

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write a compound statement; statements written in the context are its body."""
        self.line(header)
        written = len(self._lines)
        self._depth += 1
        try:
            yield
            if len(self._lines) == written:
                self.line("pass")
        finally:
            self._depth -= 1

    def name(self, hint: str) -> str:
        """A name that is unique in this source; `hint` makes it readable."""
        readable = _NOT_IN_A_NAME.sub("_", hint.lower()).strip("_")[:_LONGEST_HINT]
        if not readable or readable[0].isdigit():
            readable = f"v{readable}"
        return f"{readable}_{next(self.numbers)}"

    def constant(self, value: object, hint: str = "") -> str:
        """A global of the source that holds this very object, named after `hint` or the object's own name.

        Nothing may change the object afterwards.
        """
        known = self._constants.get(id(value))
        if known is not None:
            return known
        name = self.name(hint or getattr(value, "__name__", "constant"))
        self._globals[name] = value  # which also keeps its id from being used again
        self._constants[id(value)] = name
        return name

    def compiled(self, name: str, file: str, heading: str = "") -> Callable[..., Any]:
        """Compile the source, and return its function of this name.

        The source is kept, so that tracebacks show the line.

        Args:
            name: the function's.
            file: what tracebacks name as the file, in angle brackets.
            heading: see `text`.
        """
        source, namespace = self.text(heading), dict(self._globals)
        exec(compile(source, file, "exec"), namespace)  # noqa: S102 - the source is ours
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        function: Callable[..., Any] = namespace[name]
        return function

    def text(self, heading: str = "") -> str:
        """All statements; where a `heading` is given, below it and indented."""
        outer = [(0, line) for line in heading.splitlines()]
        inner = [(depth + bool(heading), text) for depth, text in self._lines or [(0, "pass")]]
        return "".join(f"{'    ' * depth}{text}\n" for depth, text in [*outer, *inner])
