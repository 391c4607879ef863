"""Functions that make text out of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed, Mismatch
from worker.mapping.expressions.functions.arguments import text_of, whole_of
from worker.mapping.expressions.functions.function import Function, InvalidArgumentError


def lower(text: object) -> str:
    """In lower case, by Unicode's rules."""
    return text_of(text).lower()


def upper(text: object) -> str:
    """In upper case, by Unicode's rules."""
    return text_of(text).upper()


def trim(text: object) -> str:
    """Without leading and trailing white space."""
    return text_of(text).strip()


def _counting(name: str, function: Callable[[object], str]) -> Callable[[object], str]:
    def call(text: object) -> str:
        text_length.count(name, len(text_of(text)))
        return function(text)

    return call


COUNTING: dict[str, Callable[..., Any]] = {
    f"{name} of $name": _counting(name, function)
    for name, function in (("lower", lower), ("upper", upper), ("trim", trim))
}
"""The same for an argument with a `$name` inside of a loop, where a text of the event can be made anew for each item.
Everywhere else these functions make no more text than the event has, and so are not counted. No expression can write
these names."""


def split(text: object, separator: object) -> list[str]:
    """The parts between separators; empty parts stay."""
    whole, between = text_of(text), text_of(separator)
    if not between:
        raise ExpressionFailed("split(): the separator is empty")
    text_length.count("split", len(whole))
    return whole.split(between)


def replace(text: object, old: object, new: object) -> str:
    """With every `old` replaced by `new`."""
    whole, found, instead = text_of(text), text_of(old), text_of(new)
    if not found:
        raise ExpressionFailed("replace(): the text to replace is empty")
    growth = len(instead) - len(found)
    text_length.check("replace", len(whole) + whole.count(found) * growth if growth > 0 else len(whole))
    return whole.replace(found, instead)


def concat(*parts: object) -> str | None:
    """All parts as one text, numbers as JSON writes them; null if one is null."""
    texts = parts
    for part in parts:
        if type(part) is not str:
            if any(type(each) in (dict, list) for each in parts):
                raise Mismatch
            if None in parts:
                return None
            texts = tuple(map(_as_text, parts))
            break
    text_length.check("concat", sum(map(len, texts)))  # type: ignore[arg-type] # all are texts now
    return "".join(texts)  # type: ignore[arg-type] # the same


def _as_text(value: object) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    try:
        return str(value)  # of a float: `repr`, as `to_string` has it
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        raise ExpressionFailed("concat(): a number has too many digits") from None


def substring(text: object, start: object, length: object) -> str:
    """`length` characters from `start` on, counted from 0."""
    whole = text_of(text)
    begin, characters = whole_of("substring", start), whole_of("substring", length)
    if begin < 0 or characters < 0:
        raise ExpressionFailed("substring(): start and length are 0 or more")
    text_length.count("substring", min(characters, len(whole)))
    return whole[begin : begin + characters]


def pad_left(text: object, length: object, fill: object) -> str:
    """The text, with `fill` repeated in front of it until it has `length` characters."""
    whole, characters, filling = text_of(text), whole_of("pad_left", length), text_of(fill)
    if not filling:
        raise ExpressionFailed("pad_left(): the text to fill with is empty")
    missing = characters - len(whole)
    if missing <= 0:
        return whole
    text_length.check("pad_left", characters)
    return (filling * (missing // len(filling) + 1))[:missing] + whole


def _check_substring(arguments: Sequence[Any]) -> None:
    for index in (1, 2):
        value = arguments[index]
        if type(value) in (int, float) and (value < 0 or value != int(value)):
            raise InvalidArgumentError(
                index, "substring() takes whole numbers from 0 on", "the first character is 0"
            )


FUNCTIONS = (
    Function("lower(s)", "The text in lower case.", "lower('ÀB c')", '"àb c"', lower),
    Function("upper(s)", "The text in upper case.", "upper('straße')", '"STRASSE"', upper),
    Function(
        "trim(s)", "The text without leading and trailing white space.", "trim('  a b ')", '"a b"', trim
    ),
    Function(
        "split(s, separator)",
        "The parts between separators, as a list; empty parts stay.",
        "split('a,b,,c', ',')",
        '["a", "b", "", "c"]',
        split,
        fails="An empty separator.",
    ),
    Function(
        "replace(s, old, new)",
        "The text with every `old` replaced by `new`.",
        "replace('a-b-c', '-', '')",
        '"abc"',
        replace,
        fails="An empty `old`; a text over `limits.text_length`.",
    ),
    Function(
        "concat(a, b, ...)",
        "All arguments as one text; numbers and booleans as JSON writes them.",
        "concat('Order ', `12`, ': ', `9.5`, ' ', `true`)",
        '"Order 12: 9.5 true"',
        concat,
        wrong_type="If one argument is null, the value is null. A list or an object: null.",
        fails="A text over `limits.text_length`.",
        least_given=1,
    ),
    Function(
        "substring(s, start, length)",
        "`length` characters from `start` on, counted from 0; beyond the end, a shorter text.",
        "substring('DE-10115', `3`, `2`)",
        '"10"',
        substring,
        fails="A negative or fractional `start` or `length`.",
        check=_check_substring,
    ),
    Function(
        "pad_left(s, length, fill)",
        "The text with `fill` repeated in front of it, until it has `length` characters; a longer text as it is.",
        "pad_left('42', `6`, '0')",
        '"000042"',
        pad_left,
        wrong_type="Null, and any other type: null; `to_string(n)` makes text of a number.",
        fails="An empty `fill`; a fractional `length`; a text over `limits.text_length`.",
    ),
)
