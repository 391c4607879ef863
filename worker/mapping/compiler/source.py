"""Python source under construction: what mappings are compiled to.

Rules, expressions and encoders write their statements into one `Code`, which becomes one function. Names are assigned
once, so a value that is already in a local is not computed again while that local is in scope: `customer.id` and
`customer.email` read `customer` once, even from two expressions.
"""

from __future__ import annotations

import itertools
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
_WIDTH = 100
_BUILTINS = ("type", "str", "dict", "list", "len")
_MOST_BOUND = 200
"""How many globals become locals, as default parameters. A local is read faster than a global, but each default is
copied at every call, and a call converts a whole run of records."""

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

    Attributes:
        structs: the struct type of names, and other Python expressions, that hold structs of the fields used.
        numbers: what names end in; functions that call each other share it, so that parameters are unique too.
        loops: how many loops the next statement is in.
        lets: the locals for `let`s; a new one where records begin.
    """

    def __init__(self, caller: Code | None = None) -> None:
        """Begin a function; `caller` is the function that calls it with locals of its own as arguments."""
        self.structs: dict[str, StructType] = dict(caller.structs) if caller else {}
        self.loops = 0
        self._lines: list[tuple[int, str]] = []
        self._depth = 0
        self._scopes: list[dict[str, str]] = [{}]
        self.numbers: Iterator[int] = caller.numbers if caller else itertools.count(1)
        self._namespace: dict[str, Any] = {}
        self._constants: dict[int, str] = {}
        self.lets = Lets(self)

    def line(self, text: str) -> None:
        """Write one statement."""
        self._lines.append((self._depth, text))

    def reserve(self) -> tuple[list[tuple[int, str]], int]:
        """A place for one statement that is known only later; see `fill`."""
        self.line("")
        return self._lines, len(self._lines) - 1

    @staticmethod
    def fill(place: tuple[list[tuple[int, str]], int], text: str) -> None:
        """Write a statement into a place that was reserved."""
        lines, index = place
        lines[index] = lines[index][0], text

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write a compound statement; what is written and shared inside is in scope in its body only."""
        self.line(header)
        written = len(self._lines)
        self._depth += 1
        self.loops += header.startswith("for ")
        self._scopes.append({})
        try:
            yield
            if len(self._lines) == written:
                self.line("pass")
        finally:
            self._scopes.pop()
            self.loops -= header.startswith("for ")
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

    def name(self, hint: str) -> str:
        """A name that is unique in this function; `hint` makes it readable."""
        readable = _NOT_IN_A_NAME.sub("_", hint.lower()).strip("_")[:_LONGEST_HINT]
        if not readable or readable[0].isdigit():
            readable = f"v{readable}"
        return f"{readable}_{next(self.numbers)}"

    def share(self, expression: str, hint: str) -> str:
        """A local that holds this value; an existing one if it is in scope.

        The expression must be without side effects, and must read only parameters and names that are
        assigned once.
        """
        known = self.recall(expression)
        if known is not None:
            return known
        local = self.name(hint)
        self.line(f"{local} = {expression}")
        self.remember(expression, local)
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

    def build(
        self, function_name: str, parameters: str, *, file: str | None = None, bound: bool = False
    ) -> Callable[..., Any]:
        """Compile the function. Its source is kept, so that tracebacks show the line.

        Args:
            function_name: a Python identifier, which tracebacks show.
            parameters: as they stand between the parentheses of a `def`.
            file: what tracebacks name as the file, in angle brackets; the function's own name if not given.
            bound: whether its constants become locals, as defaults of further parameters. Faster, but only
                for functions that are never called with a user's keyword arguments.
        """
        file = file or f"<{function_name}>"
        source = self.source(function_name, parameters, file=file, bound=bound)
        namespace = {"__name__": __name__, **self._namespace}  # so that an error text can name the function
        exec(compile(source, file, "exec"), namespace)  # noqa: S102 - the source is ours
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        built: Callable[..., Any] = namespace[function_name]
        return built

    def source(
        self, function_name: str, parameters: str, *, file: str | None = None, bound: bool = False
    ) -> str:
        """The source that `build` compiles. Its first line names the file; line numbers are those of tracebacks."""
        body = [line for line in self._lines if line[1]] or [(0, "pass")]
        names = [*_BUILTINS, *self._namespace][:_MOST_BOUND] if bound else []
        taken = [parameters] if parameters else []
        lines = [
            f"# {file}",
            _header(function_name, ", ".join([*taken, *(f"{name}={name}" for name in names)])),
        ]
        lines += [f"{'    ' * (depth + 1)}{text}" for depth, text in body]
        return "\n".join(lines) + "\n"


class Lets:
    """The locals for the values of `let`s: each is evaluated where a record first needs it, at most once a record.

    Generated code runs from top to bottom for each record, so the first place in it that uses a `let` evaluates it
    without asking. Later places ask whether an earlier one did, unless that is certain.

    Args:
        code: the function.
    """

    def __init__(self, code: Code) -> None:
        self._code = code
        self._locals: dict[int, str] = {}
        self._asked: dict[str, None] = {}
        self._given: set[str] = set()
        self._start = code.reserve()
        self._loops = code.loops

    def known(self, number: int) -> str | None:
        """The local for a value that is certain to have been evaluated; None if none is."""
        return self._code.recall(_let(number))

    def evaluated(self, number: int, local: str) -> None:
        """From here to the end of this block, `local` holds the value."""
        self._code.remember(_let(number), local)

    def local(self, number: int, name: str) -> tuple[str, str | None]:
        """The local for a value that an expression is about to use.

        Returns:
            The local, and the Python for whether it must be evaluated; None for the latter if it must.
        """
        local = self._locals.get(number)
        if local is None:
            local = self._locals[number] = self._code.name(f"let_{name}")
            if self._code.loops == self._loops:
                return local, None
        return local, f"{local} is {self._ask(local)}"

    def hand_over(self) -> dict[int, str]:
        """The locals that have or had a value at some place above, for a function that is called here."""
        for local in self._locals.values():
            self._ask(local)
        return dict(self._locals)

    def inherit(self, locals_: dict[int, str]) -> None:
        """Begin with these parameters, which may be `UNSET`."""
        self._locals.update(locals_)
        self._given.update(locals_.values())

    def _ask(self, local: str) -> str:
        """Give a local a value at the start of each record; returns the name of that value."""
        unset = self._code.constant(UNSET, "unset")
        if local not in self._given:
            self._asked[local] = None
            self._code.fill(self._start, f"{' = '.join(self._asked)} = {unset}")
        return unset


def _let(number: int) -> str:
    return f"let {number}"


def _header(function_name: str, parameters: str) -> str:
    """The `def` line, wrapped if long, because people read it (`map --source`)."""
    header = f"def {function_name}({parameters}):"
    if len(header) <= _WIDTH:
        return header
    wrapped = textwrap.fill(
        parameters, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8, break_long_words=False
    )
    return f"def {function_name}(\n{wrapped}\n):"
