"""The fast path of each kind of field, for rules and for builders alike.

Most values are sent unchanged. A fast path is an inline test that only such values pass. Other values go to the
function that converts or refuses it. The test may fail for a value that would be sent unchanged, but must never pass
for one that conversion would change or refuse.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from worker.core.timestamps import LENGTH, MILLIS, SECONDS
from worker.customerio.semantic import ORDINARY
from worker.mapping.calls.specs import Kind

if TYPE_CHECKING:
    from worker.mapping.compiler.source import Code

_SECOND, _END = slice(LENGTH), slice(LENGTH, None)
"""Slices of a time's text: up to the second, and the rest. Constants, because Python would create a slice object at
each evaluation."""

_VISIBLE = "".join(map(chr, range(ord("!"), ord("~") + 1)))

_TEXT = "type({0}) is str and '!' <= {0} < '\\x7f'"
"""Strings compare by code point, so this holds if the first character is visible ASCII; then the text is not blank."""

_OBJECT = "type({0}) is dict"


def write_converted(  # noqa: PLR0913 - the field, the names, the way out
    code: Code, kind: Kind, given: str, into: str, converted: str, *, reject_ids: Collection[str] = ()
) -> None:
    """Write statements that convert a value, with the fast path of its kind.

    Args:
        code: the function under construction.
        kind: of the field.
        given: the name that holds the value.
        into: the name for the converted value; may be `given`.
        converted: a Python expression that converts the value, evaluated where the fast path does not apply.
        reject_ids: casefolded strings that the conversion refuses as ids.
    """
    if kind is Kind.TIME:
        _write_time(code, given, into, converted)
        return
    test = _test(code, kind, given, reject_ids)
    code.line(f"{into} = {given} if {test} else {converted}" if test else f"{into} = {converted}")


def _test(code: Code, kind: Kind, given: str, reject_ids: Collection[str]) -> str | None:
    """The test of a kind of field as a Python expression; None for a kind that has no fast path."""
    match kind:
        case Kind.IDENTITY if reject_ids:
            return _identity(given, reject_ids)
        case Kind.IDENTITY | Kind.EVENT_ID | Kind.TEXT:
            return _TEXT.format(given)
        case Kind.EVENT:
            return f"type({given}) is str and {given} in {code.constant(ORDINARY, 'ordinary')}"
        case Kind.OBJECT:
            return _OBJECT.format(given)
    return None


def safe_starts(reject_ids: Collection[str]) -> str:
    """The visible ASCII characters that no rejected string starts with."""
    refused = {text[:1].casefold() for text in reject_ids}
    return "".join(letter for letter in _VISIBLE if letter.casefold() not in refused)


def _identity(given: str, reject_ids: Collection[str]) -> str:
    """An id is valid if its first character is visible ASCII and no rejected string starts with it.

    Other ids take the slower second half: ASCII, nothing to strip, and not as long as any rejected string.
    """
    firsts = safe_starts(reject_ids)
    # strip() returns the same object where there is nothing to strip.
    rarer = [f"{given}.isascii()", f"{given}.strip() is {given}"]
    rarer += [f"len({given}) != {length}" for length in sorted({len(text) for text in reject_ids})]
    return f"type({given}) is str and {given} and ({given}[0] in {firsts!r} or {' and '.join(rarer)})"


def _write_time(code: Code, given: str, into: str, converted: str) -> None:
    """The first steps of `timestamps.rfc3339`, inline: most times are already in the form that is sent."""
    seconds, millis = code.constant(SECONDS, "seconds"), code.constant(MILLIS, "millis")
    second, end = code.name("second"), code.name("end")
    at_second, at_end = code.constant(_SECOND, "at_second"), code.constant(_END, "at_end")
    is_text = f"type({given}) is str"
    code.lines(f"""
        if {is_text} and ({second} := {given}[{at_second}]) in {seconds} and ({end} := {given}[{at_end}]) in {millis}:
            {into} = {given}
        elif {is_text} and {second} in {seconds} and {end} == 'Z':
            {into} = {second} + '.000Z'
        else:
            {into} = {converted}
        """)
