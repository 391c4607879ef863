"""Replaces what records hold by made-up values, the same for the same, so that no fixture has real data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from worker.core.timestamps import LENGTH, MICROS_FROM, MILLIS_FROM, NANOS_FROM, SECONDS_FROM, rfc3339
from worker.mapping.drafting.sample import FieldPath

MAX_ITEMS = 3
"""Items that are kept of a list: enough to see its shape."""

EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_LONG_NUMBER = re.compile(r"\d{6,}", re.ASCII)

T = TypeVar("T", str, int | float)

_MAX_TRIES = 1000
"""More values of one form than this in a sample are all that the form has, such as the days of January."""

_FIRST_NUMBER = 1001
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], int], str]], ...] = (
    (EMAIL, lambda _, n: f"person-{n}@example.com"),
    (UUID, lambda _, n: f"00000000-0000-4000-8000-{n:012}"),
    (re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL), lambda _, n: f"https://example.com/{n}"),
    (re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII), lambda _, n: f"2026-01-{n % 28 + 1:02}"),
    (
        re.compile(r"-?\d+\.(\d+)", re.ASCII),
        lambda found, n: f"{_FIRST_NUMBER + n}.{'5'.ljust(len(found[1]), '0')}",
    ),
    (re.compile(r"\+\d[\d ()/.-]{5,}\d", re.ASCII), lambda _, n: f"+1555{n:07}"),
)
"""Forms of text that a field may need, with a made-up text of the form."""

_FIRST_SECOND = 1_767_225_600
"""2026-01-01T00:00:00Z"""

_UNITS = ((NANOS_FROM, 10**9), (MICROS_FROM, 10**6), (MILLIS_FROM, 1000), (SECONDS_FROM, 1))
_RECENT = range(1_000_000_000, 2_500_000_000)
"""Seconds since 1970, from 2001 to 2049: a number of this size, in any unit, is taken to be a time."""


class MadeUp:
    """Makes values up; one for all fixtures of a file.

    Args:
        real: the values of all records, as text: none of them is ever made up.
    """

    def __init__(self, real: frozenset[str]) -> None:
        self._real = real
        self._known: dict[Any, Any] = {}
        self._count = 0

    def event(self, value: dict[str, Any], kept: frozenset[FieldPath]) -> dict[str, Any]:
        """A decoded value with every text, number and id made up, except at these paths. Field names stay."""
        return {name: self._value(item, (name,), kept) for name, item in value.items()}

    def text(self, value: str) -> str:
        """The made-up text for this one."""
        if not value or value in {"true", "false"}:
            return value
        if _WHOLE.fullmatch(value):
            # The same number may also be a JSON number elsewhere.
            return str(self.number(int(value)))
        if ("text", value) not in self._known:
            self._known["text", value] = self._unreal(lambda n: _made_text(value, n))
        made: str = self._known["text", value]
        return made

    def number(self, value: float) -> int | float:
        """The made-up number for this one, of the same kind: a time in the same unit stays one."""
        if ("number", value) not in self._known:
            self._known["number", value] = self._unreal(lambda n: _made_number(value, n))
        made: int | float = self._known["number", value]
        return made

    def _value(self, value: Any, path: FieldPath, kept: frozenset[FieldPath]) -> Any:
        match value:
            case bool() | None:
                return value
            case _ if path in kept:
                return value
            case str():
                return self.text(value)
            case int() | float():
                return self.number(value)
            case list():
                return [self._value(item, (*path, "[]"), kept) for item in value[:MAX_ITEMS]]
            case _:
                return {
                    self._name(name): self._value(item, (*path, name), kept) for name, item in value.items()
                }

    def _name(self, name: str) -> str:
        """A field's name, which stays, unless the object is a table by ids."""
        is_id = EMAIL.fullmatch(name) or UUID.fullmatch(name) or _LONG_NUMBER.fullmatch(name)
        return self.text(name) if is_id else name

    def _unreal(self, make: Callable[[int], T]) -> T:
        """The next value that is in no record."""
        for _ in range(_MAX_TRIES):
            self._count += 1
            made = make(self._count)
            if str(made) not in self._real:
                break
        return made


def _made_text(value: str, n: int) -> str:
    """A text of the same form."""
    for form, made in _FORMS:
        if match := form.fullmatch(value):
            return made(match, n)
    if is_time(value):
        # What follows the seconds keeps its form: digits and offset.
        return f"2026-01-{n % 28 + 1:02}{value[10]}10:00:00{re.sub('[0-9]', '0', value[LENGTH:])}"
    return f"text-{n}"


def is_time(value: object) -> bool:
    """Whether a call's `timestamp` takes the value, and it is a recent time."""
    if isinstance(value, str):
        try:
            rfc3339(value)
        except ValueError:
            return False
        return True
    if isinstance(value, int) and not isinstance(value, bool):
        return any(value >= first and value // unit in _RECENT for first, unit in _UNITS)
    return False


def _made_number(value: float, n: int) -> int | float:
    if isinstance(value, float):
        return _FIRST_NUMBER + n + 0.5
    if is_time(value):
        unit = next(unit for first, unit in _UNITS if value >= first)
        return (_FIRST_SECOND + n * 60) * unit
    return _FIRST_NUMBER + n


def values_of(value: Any) -> Iterator[str]:
    """Every text and number in a value, as text."""
    match value:
        case bool() | None:
            return
        case str() | int() | float():
            yield str(value)
        case list():
            for item in value:
                yield from values_of(item)
        case _:
            for item in value.values():
                yield from values_of(item)
