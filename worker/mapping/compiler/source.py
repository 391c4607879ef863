"""Python source under construction: what mappings are compiled to.

Rules, expressions and encoders write their statements into one `Code`, which becomes one function. Names are assigned
once, so a value that is already in a local is not computed again while that local is in scope: `customer.id` and
`customer.email` read `customer` once, even from two expressions.
"""

from __future__ import annotations

import itertools
import keyword
import linecache
import re
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.mapping.compiler.decoder import StructType

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_HINT = 24
UNSET = object()
"""The value of a `let` that was not evaluated for this record."""


@dataclass(slots=True)
class Fragment:
    """Statements that are collected first and pasted later.

    Attributes:
        lines: each with its indentation, counted from the place where the fragment began.
        shared: expressions that these statements have bound to locals.
    """

    lines: list[tuple[int, str]] = field(default_factory=list)
    shared: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.lines)


class Code:
    """The body of one function, written statement by statement.

    Names made by `name`, `share` and `constant` end in `_` and a number. Names that the caller chooses (parameters, its
    own locals) must not.

    Args:
        caller: the function that calls this one with locals of its own as arguments, if any.

    Attributes:
        structs: the struct type of names, and other Python expressions, that hold structs of the fields used.
        numbers: what names end in; functions that call each other share it, so that parameters are unique too.
        lets: the locals for `let`s, by the numbers of their expressions; each is `UNSET` until it is evaluated.
        packs: whether objects that are written now are sent as they stand, and may be packed.
    """

    def __init__(self, caller: Code | None = None) -> None:
        self.structs: dict[str, StructType] = dict(caller.structs) if caller else {}
        self.numbers: Iterator[int] = caller.numbers if caller else itertools.count(1)
        self.lets: dict[int, str] = dict(caller.lets) if caller else {}
        self.packs = False
        self._lines: list[tuple[int, str]] = []
        self._depth = 0
        self._scopes: list[dict[str, str]] = [{}]
        self._namespace: dict[str, Any] = {}
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
        """Write a compound statement; what is written and shared inside is in scope in its body only."""
        self.line(header)
        written = len(self._lines)
        self._depth += 1
        self._scopes.append({})
        try:
            yield
            if len(self._lines) == written:
                self.line("pass")
        finally:
            self._scopes.pop()
            self._depth -= 1

    @contextmanager
    def aside(self) -> Iterator[Fragment]:
        """Write into a fragment instead; see `paste`. The fragment is complete when the context ends."""
        fragment = Fragment()
        lines, depth = self._lines, self._depth
        self._lines, self._depth = fragment.lines, 0
        self._scopes.append(fragment.shared)
        try:
            yield fragment
        finally:
            self._scopes.pop()
            self._lines, self._depth = lines, depth

    def paste(self, fragment: Fragment) -> None:
        """Write a fragment's statements here; its shared locals are in scope from here on."""
        self._lines.extend((self._depth + depth, text) for depth, text in fragment.lines)
        self._scopes[-1].update(fragment.shared)

    @contextmanager
    def packing(self, *, packs: bool) -> Iterator[None]:
        """Write objects that are sent as they stand."""
        self.packs = packs
        try:
            yield
        finally:
            self.packs = False

    @contextmanager
    def record(self) -> Iterator[None]:
        """Write what is done with one record. Each `let` in it is evaluated at most once."""
        inherited = set(self.lets)
        with self.aside() as fragment:
            yield
        own = [local for number, local in self.lets.items() if number not in inherited]
        if own:
            self.line(f"{' = '.join(own)} = {self.constant(UNSET, 'unset')}")
        self.paste(fragment)

    def name(self, hint: str) -> str:
        """A name that is unique in this function; `hint` makes it readable."""
        readable = _NOT_IN_A_NAME.sub("_", hint.lower()).strip("_")[:_LONGEST_HINT]
        if not readable or readable[0].isdigit():
            readable = f"v{readable}"
        return f"{readable}_{next(self.numbers)}"

    def share(self, expression: str, hint: str) -> str:
        """A name for this value: the expression itself if it is one, a local that holds it, or a new local.

        The expression must be without side effects, and must read only parameters and names that are
        assigned once.
        """
        if is_name(expression):
            return expression
        local = self.recall(expression)
        if local is None:
            local = self.name(hint)
            self.line(f"{local} = {expression}")
            self.remember(expression, local)
            if expression in self.structs:
                self.structs[local] = self.structs[expression]
        return local

    def remember(self, meaning: str, local: str) -> None:
        """From here to the end of this block, `local` holds what `meaning` describes."""
        self._scopes[-1][meaning] = local

    def recall(self, meaning: str) -> str | None:
        """The local in scope that holds what `meaning` describes, if any."""
        for scope in reversed(self._scopes):
            if meaning in scope:
                return scope[meaning]
        return None

    def needs(self, meaning: str) -> bool:
        """Whether something has still to be written, as it is not in scope here; from here on it is."""
        known = self.recall(meaning) is not None
        self.remember(meaning, meaning)
        return not known

    def constant(self, value: object, hint: str = "") -> str:
        """A global of the function that holds this very object, named after `hint` or the object's own name.

        Nothing may change the object afterwards.
        """
        known = self._constants.get(id(value))
        if known is not None:
            return known
        name = self.name(hint or getattr(value, "__name__", "constant"))
        self._namespace[name] = value  # which also keeps its id from being used again
        self._constants[id(value)] = name
        return name

    def build(self, function_name: str, parameters: str, file: str | None = None) -> Callable[..., Any]:
        """Compile the function. Its source is kept, so that tracebacks show the line.

        Args:
            function_name: a Python identifier, which tracebacks show.
            parameters: as they stand between the parentheses of a `def`.
            file: what tracebacks name as the file, in angle brackets; the function's own name if not given.
        """
        file = file or f"<{function_name}>"
        source = self.source(function_name, parameters, file)
        namespace = {"__name__": __name__, **self._namespace}  # so that an error text can name the function
        exec(compile(source, file, "exec"), namespace)  # noqa: S102 - the source is ours
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        built: Callable[..., Any] = namespace[function_name]
        return built

    def source(self, function_name: str, parameters: str, file: str | None = None) -> str:
        """The source that `build` compiles. Its first line names the file; line numbers are those of tracebacks."""
        lines = [f"# {file or function_name}", f"def {function_name}({parameters}):"]
        lines += [f"{'    ' * (depth + 1)}{text}" for depth, text in self._lines or [(0, "pass")]]
        return "\n".join(lines) + "\n"


def is_name(text: str) -> bool:
    """Whether a Python expression is just a name."""
    return text.isidentifier() and not keyword.iskeyword(text)
