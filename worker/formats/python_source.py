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
        self._own: dict[Callable[[Any], object], str] = {}

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

    def own(self, make: Callable[[Any], object], hint: str) -> str:
        """A variable that each function made by `factory` has for itself, named after `hint`.

        Args:
            make: makes its value, from what the function is made for.
            hint: see `name`.
        """
        if make not in self._own:
            self._own[make] = self.name(hint)
        return self._own[make]

    def factory(self, name: str, parameters: str, file: str) -> Callable[[Any], Callable[..., Any]]:
        """Compile the statements as the body of a function, once for all that the function is made for.

        What is returned makes the function for a topic, or for anything else that the variables of `own` are made
        from. These are closure variables, so all functions share the compiled code and the constants.

        Args:
            name: a Python identifier, which tracebacks show.
            parameters: as they stand between the parentheses of a `def`.
            file: see `compiled`.
        """
        makers = tuple(self._own)
        outer, inner = f"def made_for({', '.join(self._own.values())}):", f"def {name}({parameters}):"
        made_for = self.compiled("made_for", file, f"{self.text(outer, inner)}    return {name}\n")
        return lambda given: made_for(*[make(given) for make in makers])

    def compiled(self, name: str, file: str, source: str | None = None) -> Callable[..., Any]:
        """Compile the source, and return its function of this name.

        The source is kept, so that tracebacks show the line.

        Args:
            name: the function's.
            file: what tracebacks name as the file, in angle brackets.
            source: what `text` returned; without headers if not given.
        """
        source, namespace = source or self.text(), dict(self._globals)
        exec(compile(source, file, "exec"), namespace)  # noqa: S102 - the source is ours
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        function: Callable[..., Any] = namespace[name]
        return function

    def text(self, *headers: str) -> str:
        """All statements, inside compound statements with these headers, the outermost first."""
        inner = [(depth + len(headers), text) for depth, text in self._lines or [(0, "pass")]]
        return "".join(f"{'    ' * depth}{text}\n" for depth, text in [*enumerate(headers), *inner])
