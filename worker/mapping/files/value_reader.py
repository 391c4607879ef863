"""Reads the values of a mapping file, which are expressions or hold them, and reports all problems."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.core.reasons import Rejected
from worker.documents.document import Document, Path
from worker.documents.problems import Problem
from worker.mapping.calls.assembly import convert
from worker.mapping.calls.specs import Field, Kind
from worker.mapping.expressions.expression import Expression, ExpressionError
from worker.mapping.expressions.habits import habit
from worker.mapping.expressions.names import Names
from worker.mapping.expressions.parser import UNQUOTED_NAME
from worker.mapping.expressions.text import PATH
from worker.mapping.files.rules import Value

_WORDS = re.compile(r"\w[\w ,.!?/:+-]*")
_LITERAL_TEXT = "literal text is written in single quotes, inside YAML's own quotes: \"'{}'\""


class ValueReader:
    """Reads expressions, and structures that hold them, of one document.

    Args:
        document: the mapping file.
        problems: where to add the problems found.
        names: what expressions can use.
    """

    def __init__(self, document: Document, problems: list[Problem], names: Names) -> None:
        self.document = document
        self.problems = problems
        self.names = names

    def with_lets(self, lets: dict[str, Expression | None]) -> ValueReader:
        """The same with more names, which hide those of the same name."""
        names = replace(self.names, lets={**self.names.lets, **lets})
        return ValueReader(self.document, self.problems, names)

    def in_for_each(self) -> ValueReader:
        """The same for a call that is made for each item of a list."""
        return ValueReader(self.document, self.problems, replace(self.names, in_for_each=True))

    def expression(self, path: Path) -> Expression | None:
        """Read the expression at `path`; None if it is invalid."""
        text = str(self.at(path))
        bare = text.strip()
        if self.document.is_quoted(path) and UNQUOTED_NAME.fullmatch(text):
            hint = f"\"'{text}'\" for the text, {text} without quotes for the event's field"
            self.report(f"the quoted word '{text}' would be read as a field's name", path, hint=hint)
            return None
        if not bare:
            self.report("an empty text is not an expression", path, hint="remove the key, or write \"''\"")
            return None
        try:
            return Expression.parse(text, self.names)
        except ExpressionError as error:
            at, meant = error.position, error.hint
            if meant is None:
                at, meant = habit(text, at) or (at, _hint_for(bare))
            self.problems.append(
                self.document.problem(
                    f"`{_shortened(bare)}` is not an expression: {error.message}",
                    path,
                    offset=at,
                    hint=meant,
                )
            )
            return None

    def text_expression(self, path: Path) -> Expression | None:
        """Read the expression at `path`, where nothing else is allowed; None if it is none."""
        if isinstance(self.at(path), str):
            return self.expression(path)
        self.report(f"`{path[-1]}` must be an expression", path)
        return None

    def field(self, field: Field, value: Any, path: Path) -> Value:
        """Read a field's value, and check all that can be checked without an event."""
        if value is None:
            self.report(f"`{field.name}` is empty", path, key=True, hint="remove the key")
            return None
        if field.kind is Kind.OBJECT and isinstance(value, dict):
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, str):
            expression = self.expression(path)
            if expression is not None:
                self._literal(field, expression, path)
            return expression
        self._convertible(field, value, path)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _value(self, value: Any, path: Path) -> Value:
        match value:
            case str():
                return self.expression(path)
            case dict():
                return {key: self._value(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self._value(item, (*path, index)) for index, item in enumerate(value)]
            case bool() | int() | float() | None:
                return value
        raise TypeError(type(value).__name__)

    def _literal(self, field: Field, expression: Expression, path: Path) -> None:
        """Check an expression that is a literal, or looks like an attempt at one."""
        text = expression.text.strip()
        if text.lower() in field.choices:
            self.problems.append(
                self.document.problem(
                    f"'{text}' is read as the event's field of that name",
                    path,
                    hint=f"for the text write \"'{text.lower()}'\"",
                    warning=True,
                )
            )
        if expression.is_literal:
            self._convertible(field, expression.search({}, {}), path)

    def _convertible(self, field: Field, value: Any, path: Path) -> None:
        try:
            converted = convert(field, value)
        except Rejected as rejected:
            self.report(rejected.detail.rstrip("."), path, hint=_value_hint(field, value))
            return
        if converted is None:
            self.report(f"`{field.name}` must not be blank", path)

    def at(self, path: Path) -> Any:
        """The plain value at a path."""
        value = self.document.data
        for step in path:
            value = value[step]
        return value

    def report(self, message: str, path: Path, *, key: bool = False, hint: str | None = None) -> None:
        """Add a problem."""
        self.problems.append(self.document.problem(message, path, key=key, hint=hint))

    def report_once(self, message: str, path: Path) -> None:
        """Add a problem of a value that several calls have."""
        problem = self.document.problem(message, path)
        if problem not in self.problems:
            self.problems.append(problem)


def _value_hint(field: Field, value: Any) -> str | None:
    """What was meant by a constant that the field does not take."""
    if not isinstance(value, str):
        return None
    if field.kind is Kind.TIME and PATH.fullmatch(value) and ("." in value or "_" in value):
        return f"for the event's field write {value} without the single quotes"
    return did_you_mean(value, field.choices)


def _hint_for(text: str) -> str | None:
    """Guess what was meant by a text that is not an expression."""
    return _LITERAL_TEXT.format(text) if _WORDS.fullmatch(text) else None


def _shortened(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 60 else one_line[:57] + "..."
