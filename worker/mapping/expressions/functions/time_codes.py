"""The codes of `parse_time` and `format_time`: Python's (`%Y`, `%m`, ...), always in the C locale.

Python's own `strptime` and `strftime` follow the process's locale, which a Python mapper can set, so they cannot be
used where names of days and months occur.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_LONGER = {"c": "%a %b %d %H:%M:%S %Y", "x": "%m/%d/%y", "X": "%H:%M:%S"}
"""Codes that stand for others, in the C locale."""

_PIVOT = 69
"""Two-digit years from here on are 19xx, the others 20xx (POSIX, as in Python)."""

_NOON = 12
_LEAP_SECOND = 60


def _names(names: tuple[str, ...]) -> str:
    return "|".join(names)


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name[:3] for name in names)


_PATTERNS = {
    "a": _names(_short(_DAYS)),
    "A": _names(_DAYS),
    "b": _names(_short(_MONTHS)),
    "B": _names(_MONTHS),
    "d": r"3[01]|[12][0-9]|0?[1-9]| [1-9]",
    "f": r"[0-9]{1,6}",
    "G": r"[0-9]{4}",
    "H": r"2[0-3]|[01][0-9]|[0-9]",
    "I": r"1[0-2]|0?[1-9]| [1-9]",
    "j": r"36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0[1-9][0-9]|00[1-9]|[1-9][0-9]|0?[1-9]",
    "m": r"1[0-2]|0?[1-9]",
    "M": r"[0-5][0-9]|[0-9]",
    "p": "am|pm",
    "S": r"60|[0-5][0-9]|[0-9]",
    "u": "[1-7]",
    "U": r"5[0-3]|[0-4][0-9]|[0-9]",
    "V": r"5[0-3]|[1-4][0-9]|0?[1-9]",
    "w": "[0-6]",
    "W": r"5[0-3]|[0-4][0-9]|[0-9]",
    "y": "[0-9]{2}",
    "Y": "[0-9]{4}",
    "z": r"[+-][0-9]{2}:?[0-5][0-9](?::?[0-5][0-9])?|Z",
    "Z": "UTC|GMT",
}
"""What each code matches when a time is read: Python's patterns."""

_LONGEST_FORMAT = 1000
"""Characters. Each code takes about a microsecond, and a format can come from an event."""

_CODE = re.compile(r"%(-?.?)", re.DOTALL)


class InvalidFormatError(Exception):
    """No time has this format. The message names the code, but nothing of the format's other text."""


def check_output_format(form: str) -> None:
    """Raise `InvalidFormatError` for a format that `written` does not take, or that holds no code."""
    if not list(_pieces(form)):
        raise InvalidFormatError("no part of a time is in it")
    for code in _pieces(form):
        _writer(code)


def written(moment: datetime, form: str) -> list[str]:
    """The texts that together are the moment in this format. Raises `InvalidFormatError`."""
    if len(form) > _LONGEST_FORMAT:
        raise InvalidFormatError("it is too long")
    texts = []
    end = 0
    for found in _CODE.finditer(form):
        texts += [form[end : found.start()], _writer(found[1])(moment)]
        end = found.end()
    return [*texts, form[end:]]


def _pieces(form: str) -> Iterator[str]:
    return (found[1] for found in _CODE.finditer(form) if found[1] != "%")


def _writer(code: str) -> Callable[[datetime], str]:
    plain = _WRITERS.get(code)
    if plain is None and code[:1] == "-" and code[1:] in _NUMERIC:
        return _unpadded(_WRITERS[code[1:]])
    if plain is None:
        raise InvalidFormatError(_no_such_code(code))
    return plain


def _unpadded(writer: Callable[[datetime], str]) -> Callable[[datetime], str]:
    return lambda moment: writer(moment).lstrip("0") or "0"


def _no_such_code(code: str) -> str:
    return f"there is no code %{code}" if code.strip("-") else "% at the end; a percent sign is %%"


def _by_python(code: str) -> Callable[[datetime], str]:
    """For codes that are numbers, which no locale changes."""
    return lambda moment: moment.strftime(f"%{code}")


def _in_full(longer: str) -> Callable[[datetime], str]:
    return lambda moment: "".join(written(moment, longer))


_NUMERIC = frozenset("dmyHIMSjUW")
_WRITERS: dict[str, Callable[[datetime], str]] = {
    **{code: _by_python(code) for code in "dmyHIMSfjUWVuwz"},
    "a": lambda moment: _DAYS[moment.weekday()][:3],
    "A": lambda moment: _DAYS[moment.weekday()],
    "b": lambda moment: _MONTHS[moment.month - 1][:3],
    "B": lambda moment: _MONTHS[moment.month - 1],
    "p": lambda moment: "AM" if moment.hour < _NOON else "PM",
    "Y": lambda moment: f"{moment.year:04}",
    "G": lambda moment: f"{moment.isocalendar().year:04}",
    "Z": lambda moment: moment.tzname() or "",
    "%": lambda _: "%",
    "e": lambda moment: f"{moment.day:2}",
    **{code: _in_full(longer.replace("%d", "%e", code == "c")) for code, longer in _LONGER.items()},
}


class _Reader:
    """A format for reading times.

    Attributes:
        pattern: matches the whole text, with a group for each code.
    """

    def __init__(self, form: str) -> None:
        if len(form) > _LONGEST_FORMAT:
            raise InvalidFormatError("it is too long")
        for code, longer in _LONGER.items():
            form = form.replace(f"%{code}", longer)
        codes = list(_pieces(form))
        for code in codes:
            if code not in _PATTERNS:
                raise InvalidFormatError(_no_such_code(code))
            if codes.count(code) > 1:
                raise InvalidFormatError(f"%{code} comes twice")
        _check_date(frozenset(codes))
        self.pattern = re.compile(_pattern(form), re.ASCII | re.IGNORECASE)

    def read(self, text: str) -> tuple[datetime, tzinfo | None] | None:
        """The local time, and its zone if the text has one; None if the text has another format."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        parts = {code: value for code, value in found.groupdict().items() if value is not None}
        day = _date(parts)
        second = int(parts.get("S", 0))
        moment = datetime(  # noqa: DTZ001 - a local time; its zone is returned beside it
            day.year,
            day.month,
            day.day,
            _hour(parts),
            int(parts.get("M", 0)),
            min(second, 59),
            int(parts.get("f", "0").ljust(6, "0")),
        )
        leap = timedelta(seconds=second == _LEAP_SECOND)
        return moment + leap, _zone(parts)


@lru_cache(128)
def reader(form: str) -> _Reader:
    """A format for reading times. Raises `InvalidFormatError`."""
    return _Reader(form)


def _pattern(form: str) -> str:
    parts = []
    end = 0
    for found in _CODE.finditer(form):
        parts += [
            _plain(form[end : found.start()]),
            "%" if found[1] == "%" else f"(?P<{found[1]}>{_PATTERNS[found[1]]})",
        ]
        end = found.end()
    return "".join([*parts, _plain(form[end:])])


def _plain(text: str) -> str:
    """Text between codes; any white space stands for any other, as in Python."""
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def _check_date(codes: frozenset[str]) -> None:
    if not codes & {"Y", "y", "G"}:
        raise InvalidFormatError("it has no year")
    if len(codes & {"Y", "y", "G"}) > 1:
        raise InvalidFormatError("it has two years")
    weekday = codes & {"a", "A", "u", "w"}
    if ("G" in codes) is not ("V" in codes) or ("G" in codes and not weekday):
        raise InvalidFormatError("%G, %V and a day of the week (%u) go together")
    if codes & {"U", "W"} and not weekday:
        raise InvalidFormatError("%U and %W need a day of the week")


def _date(parts: dict[str, str]) -> date:
    """The date that the codes make. Raises `ValueError` for one that does not exist."""
    if "G" in parts:
        return date.fromisocalendar(int(parts["G"]), int(parts["V"]), _weekday(parts) + 1)
    year = (
        int(parts["Y"]) if "Y" in parts else int(parts["y"]) + (1900 if int(parts["y"]) >= _PIVOT else 2000)
    )
    if "j" in parts:
        return _same_year(date(year, 1, 1) + timedelta(days=int(parts["j"]) - 1), year)
    if "U" in parts or "W" in parts:
        return _same_year(_from_week(parts, year), year)
    return date(year, _month(parts), int(parts.get("d", 1)))


def _same_year(day: date, year: int) -> date:
    if day.year != year:
        raise ValueError
    return day


def _from_week(parts: dict[str, str], year: int) -> date:
    """The day of a week that is counted from the year's first Sunday (`%U`) or Monday (`%W`)."""
    first = date(year, 1, 1)
    on_sunday = "U" in parts
    before = (first.weekday() + on_sunday) % 7  # days of the first week that are in the old year
    day = (_weekday(parts) + on_sunday) % 7
    return first + timedelta(days=7 * (int(parts["U" if on_sunday else "W"]) - (before == 0)) + day - before)


def _weekday(parts: dict[str, str]) -> int:
    """The day of the week, Monday is 0."""
    if "u" in parts:
        return int(parts["u"]) - 1
    if "w" in parts:
        return (int(parts["w"]) - 1) % 7
    return _short(_DAYS).index((parts.get("a") or parts["A"])[:3].title())


def _month(parts: dict[str, str]) -> int:
    if "m" in parts:
        return int(parts["m"])
    name = parts.get("b") or parts.get("B")
    return _short(_MONTHS).index(name[:3].title()) + 1 if name else 1


def _hour(parts: dict[str, str]) -> int:
    if "I" not in parts:
        return int(parts.get("H", 0))
    return int(parts["I"]) % _NOON + (_NOON if parts.get("p", "am").lower() == "pm" else 0)


def _zone(parts: dict[str, str]) -> tzinfo | None:
    offset = parts.get("z")
    if offset is None:
        return UTC if "Z" in parts else None
    if offset in ("Z", "z"):
        return UTC
    digits = offset[1:].replace(":", "").ljust(6, "0")
    since = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:]))
    return timezone(-since if offset[0] == "-" else since)
