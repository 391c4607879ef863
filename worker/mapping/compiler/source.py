"""Python source under construction: what mappings are compiled to.

Rules, expressions and encoders write their statements into one `Code`, which becomes one function. Names are assigned
once, so a value that is already in a local is not computed again while that local is in scope: `customer.id` and
`customer.email` read `customer` once, even from two expressions.
"""

from __future__ import annotations

import keyword
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.formats.python_source import PythonSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.mapping.compiler.decoder import StructType

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


class Code(PythonSource):
    """The body of one function, which knows what its locals hold.

    Args:
        caller: the function that calls this one with locals of its own as arguments, if any. Both number names
            together, so that parameters are unique too.

    Attributes:
        structs: the struct type of names, and other Python expressions, that hold structs of the fields used.
        lets: the locals for `let`s, by the numbers of their expressions; each is `UNSET` until it is evaluated.
        packs: whether objects that are written now are sent as they stand, and may be packed.
    """

    def __init__(self, caller: Code | None = None) -> None:
        super().__init__()
        self.structs: dict[str, StructType] = dict(caller.structs) if caller else {}
        self.lets: dict[int, str] = dict(caller.lets) if caller else {}
        self.packs = False
        self._scopes: list[dict[str, str]] = [{}]
        if caller is not None:
            self.numbers = caller.numbers

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write a compound statement; what is written and shared inside is in scope in its body only."""
        self._scopes.append({})
        try:
            with super().block(header):
                yield
        finally:
            self._scopes.pop()

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

    def build(self, function_name: str, parameters: str, file: str | None = None) -> Callable[..., Any]:
        """Compile the only function that is made of this source; see `factory`."""
        return self.factory(function_name, parameters, file or f"<{function_name}>")(None)

    def source(self, function_name: str, parameters: str, file: str | None = None) -> str:
        """The function that `factory` and `build` compile, as its source.

        The first line is a comment that names the file, in place of the `def` around the function in `factory`: so line
        numbers are those of tracebacks.
        """
        return f"# {file or f'<{function_name}>'}\n{self.text(f'def {function_name}({parameters}):')}"


def is_name(text: str) -> bool:
    """Whether a Python expression is just a name."""
    return text.isidentifier() and not keyword.iskeyword(text)
