"""Functions with regular expressions: RE2, whose time is linear in the text. It refuses some of Perl's syntax."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

from worker.mapping.expressions import text_length
from worker.mapping.expressions.failures import ExpressionFailed
from worker.mapping.expressions.functions.arguments import text_of, utf8_of
from worker.mapping.expressions.functions.function import COMPUTED, Function, InvalidArgumentError

_MAX_MEMORY = 1 << 20
"""Bytes that RE2 may use for one expression, also for one that is computed from an event. Its default is 8 MB."""

_COMPUTED_KEPT = 32
"""How many expressions that are computed from events are kept compiled."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False  # it would write to standard error, and quote the expression
_OPTIONS.max_mem = _MAX_MEMORY

_literal: dict[str, Any] = {}
"""The compiled expressions that are literal in mappings: kept for as long as the process runs."""

_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


class _InvalidReplacementError(Exception):
    pass


def matches(text: object, regex: object) -> bool:
    """Whether the expression is found anywhere in the text."""
    return _search("matches", text, regex) is not None


def extract(text: object, regex: object) -> str | None:
    """The first group of the first match, or the match where the expression has no group; None if there is none."""
    found = _search("extract", text, regex)
    if found is None:
        return None
    begin, end = found.span(1 if found.re.groups else 0)
    if begin < 0:  # the group has no part in the match
        return None
    text_length.count("extract", end - begin)
    return text_of(text)[begin:end]


def replace_regex(text: object, regex: object, new: object) -> str:
    r"""Every match replaced; `\1` in `new` is the first group, `\0` the match."""
    whole, pattern, instead = text_of(text), text_of(regex), text_of(new)
    compiled = _compiled("replace_regex", pattern)
    try:
        template = _template(instead, compiled.groups)
    except _InvalidReplacementError as error:
        raise ExpressionFailed(f"replace_regex(): {error}") from None
    literal = sum(len(part) for part in template if type(part) is str)
    groups = [part for part in template if type(part) is int]
    parts: list[str] = []
    length = end = 0
    for found in compiled.finditer(_subject("replace_regex", whole)):
        begin, after = found.span()
        length += begin - end + literal
        for group in groups:
            length += found.end(group) - found.start(group)
        if length > text_length.limit():
            break
        parts += (
            whole[end:begin],
            *(_group(whole, found, part) if isinstance(part, int) else part for part in template),
        )
        end = after
    text_length.check("replace_regex", length + len(whole) - end)
    return "".join(parts) + whole[end:]


def _group(whole: str, found: Any, number: int) -> str:
    begin, end = found.span(number)
    return whole[begin:end] if begin >= 0 else ""


def _search(name: str, text: object, regex: object) -> Any:
    whole, pattern = text_of(text), text_of(regex)
    return _compiled(name, pattern).search(_subject(name, whole))


def _subject(name: str, text: str) -> str | bytes:
    """What RE2 searches: places in it are those in the text. It takes bytes faster than text."""
    if text.isascii():
        return text.encode()
    utf8_of(name, text)
    return text


def _compiled(name: str, pattern: str) -> Any:
    known = _literal.get(pattern)
    if known is not None:
        return known
    try:
        return _compile_computed(pattern)
    except (re2.error, UnicodeEncodeError):
        raise ExpressionFailed(f"{name}(): not a regular expression that RE2 knows") from None


def _compile(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)


_compile_computed = lru_cache(_COMPUTED_KEPT)(_compile)


def _template(new: str, groups: int) -> list[str | int]:
    """The parts of a replacement: texts, and numbers of groups."""
    parts: list[str | int] = []
    end = 0
    for found in _REFERENCE.finditer(new):
        parts.append(new[end : found.start()])
        end = found.end()
        if found[1] == "\\":
            parts.append("\\")
        elif found[1].isascii() and found[1].isdigit() and int(found[1]) <= groups:
            parts.append(int(found[1]))
        else:
            what = (
                "no such group"
                if found[1].isascii() and found[1].isdigit()
                else "\\ stands before a group or \\"
            )
            raise _InvalidReplacementError(what)
    return [part for part in [*parts, new[end:]] if part != ""]


def _check_regex(arguments: Sequence[Any]) -> None:
    pattern = arguments[1]
    if type(pattern) is not str:
        return
    try:
        _literal[pattern] = _compile(pattern)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if error.args else "refused"
        raise InvalidArgumentError(1, f"not a regular expression of RE2: {said}", _hint(pattern)) from None
    except UnicodeEncodeError:
        raise InvalidArgumentError(1, "the regular expression is not valid Unicode") from None


def _check_replacement(arguments: Sequence[Any]) -> None:
    _check_regex(arguments)
    _, pattern, new = arguments
    if type(new) is not str or pattern is COMPUTED or type(pattern) is not str:
        return
    groups = _literal[pattern].groups
    try:
        _template(new, groups)
    except _InvalidReplacementError as error:
        hint = f"the regular expression has {groups} group{'' if groups == 1 else 's'}; a backslash is written \\\\"
        raise InvalidArgumentError(2, f"replace_regex(): {error}", hint) from None


_HINTS = (
    (
        r"\(\?<?[=!]",
        "RE2 has no look-around: match what stands around it too, and take the part with a group",
    ),
    (r"\\[1-9]|\\k|\(\?P=", "RE2 has no back-references in an expression, only in the text that replaces it"),
    (r"\\Z", "the end of the text is \\z"),
    (r"[+*?}]\+|\(\?>", "RE2 has no possessive quantifiers and no atomic groups; it never backtracks"),
)
"""What RE2 refuses of Perl's syntax, and what to do instead."""


def _hint(pattern: str) -> str | None:
    return next((hint for refused, hint in _HINTS if re.search(refused, pattern)), None)


FUNCTIONS = (
    Function(
        "matches(s, regex)",
        "Whether the regular expression is found anywhere in the text; `^` and `$` anchor it, `(?i)` ignores case.",
        "matches('Order DE-1042', '(?i)^order [a-z]{2}-[0-9]+$')",
        "true",
        matches,
        fails="A computed expression that RE2 refuses; a literal one is an error of `check`.",
        check=_check_regex,
    ),
    Function(
        "extract(s, regex)",
        "The first group of the first match; the whole match if there is no group; null if nothing matches.",
        "extract('Order DE-1042', '([0-9]+)')",
        '"1042"',
        extract,
        fails="A computed expression that RE2 refuses; a literal one is an error of `check`.",
        check=_check_regex,
    ),
    Function(
        "replace_regex(s, regex, new)",
        "The text with every match replaced; `\\1` in `new` is the first group, `\\0` the whole match.",
        "replace_regex('2026-11-21', '([0-9]+)-([0-9]+)-([0-9]+)', '\\3.\\2.\\1')",
        '"21.11.2026"',
        replace_regex,
        fails="A computed expression that RE2 refuses; a group that it lacks; a text over `limits.text_length`.",
        check=_check_replacement,
    ),
)
