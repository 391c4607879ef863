"""Suggestions for text that is an expression in another language, but not in JMESPath."""

from __future__ import annotations

import re
from collections.abc import Callable

from worker.mapping.expressions import functions
from worker.mapping.expressions.parser import UNQUOTED_NAME

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`", re.DOTALL)
_PATH = r"""[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|"[^"]*"))*"""

_Meant = Callable[[re.Match[str], str], str]
"""From where a habit was found, and the whole text, to the hint."""


def _path_after(found: re.Match[str], text: str) -> str:
    path = re.match(rf"(?:\[['\"])?({_PATH})", text[found.end() :])
    return f"write {path[1]}" if path else "a field is named without anything before it"


def _without_braces(found: re.Match[str], text: str) -> str:
    inner = re.match(r"\s*(.*?)\s*\}", text[found.end() :], re.DOTALL)
    if found.start() or not re.search(r"\}\s*$", text):
        return f"there are no templates such as {found[0]}a}}: {_joining()}"
    return f"an expression is written without braces: {inner[1] if inner else 'a.b'}"


def _joining() -> str:
    known = functions.arity("concat") is not None
    return "concat('Hello ', a)" if known else "join('', ['Hello ', a])"


def _arithmetic(name: str) -> _Meant:
    def meant(found: re.Match[str], text: str) -> str:
        operator = found[0].strip()
        if operator == "+" and re.search(r"['\"]", text):
            how = "concat(a, b)" if functions.arity("concat") is not None else "join('', [a, b])"
            return f"{operator} does not join text here: write {how}; numbers are added by add(a, b)"
        sides = _sides(found, text)
        texts = (
            " concat(a, b) for texts"
            if functions.arity("concat") is not None
            else " join('', [a, b]) for texts"
        )
        return f"write {name}({sides})" + (f", or{texts}" if operator == "+" else "")

    return meant


def _sides(found: re.Match[str], text: str) -> str:
    left = re.search(rf"({_PATH}|`[^`]*`|\d+(?:\.\d+)?)\s*$", text[: found.start()])
    right = re.match(rf"\s*({_PATH}|`[^`]*`|\d+(?:\.\d+)?)", text[found.end() :])
    if not left or not right:
        return "a, b"
    return ", ".join(f"`{side}`" if side[0].isdigit() else side for side in (left[1], right[1]))


def _dashed(found: re.Match[str], text: str) -> str:
    start, end = found.start(), found.end()
    while start and (text[start - 1].isalnum() or text[start - 1] in "_-."):
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] in "_-"):
        end += 1
    *before, name = text[start:end].lstrip(".").split(".")
    path = ".".join([*before, f'"{name}"'])
    if start == 0 and end == len(text):
        return (
            f"a name with dashes is written {path}" if before else f"a name with dashes is written '{path}'"
        )
    return f"a name with dashes is written {path}; numbers are subtracted by subtract(a, b)"


def _bracket(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()])
    name = found[2] if UNQUOTED_NAME.fullmatch(found[2]) else f'"{found[2]}"'
    return f"write {before[0]}.{name}" if before else f"write a.{name}"


def _arrow(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    after = re.match(rf"\s*['\"]?({_PATH})", text[found.end() :])
    return f"write {before[0]}.{after[1]}" if before and after else "write a.b"


def ternary_hint(line: str) -> str | None:
    """What to write for `key: a ? b : c`, which YAML itself cannot read; None where a line holds none."""
    _, _, value = line.partition(": ")
    return _condition_hint() if re.search(r"\S \? .* : ", value) else None


def _condition(_found: re.Match[str], _text: str) -> str:
    return _condition_hint()


def _condition_hint() -> str:
    known = functions.arity("if") is not None
    return "a ? b : c is written " + ("if(a, b, c)" if known else "a && b || c")


def _contained(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    return f"write contains([...], {before[0] if before else 'a'})"


def _number(found: re.Match[str], _text: str) -> str:
    return f"a number is written in backticks: `{found[0]}`"


def _fixed(hint: str) -> _Meant:
    return lambda _found, _text: hint


_HABITS: tuple[tuple[re.Pattern[str], _Meant], ...] = tuple(
    (re.compile(pattern), meant)
    for pattern, meant in (
        (r"\{\{|\$\{|#\{", _without_braces),
        (r"\$\.(?=[A-Za-z_\"])|\$(?=[\[\"])", _path_after),
        (r"(?<![\w\])}*\"'.])\.(?=[A-Za-z_\"])", _path_after),
        (r"(?<=[\w\])}\"'`])\s+(?i:and)\b(?=\s*[\w(!@\"'`])", _fixed("write &&")),
        (r"(?<=[\w\])}\"'`])\s+(?i:or)\b(?=\s*[\w(!@\"'`])", _fixed("write ||")),
        (r"(?<![\w.])(?i:not)(?:\s+in)?\b(?=\s*[\w(\"@])", _fixed("write ! before what is negated: !(a)")),
        (r"(?<=[\w\])}\"'`])\s+in\b(?=\s*[\w(\[\"'`])", _contained),
        (r"(?<=[\w\])}\"'`])\s+(?i:is)\b(?=\s*[\w])", _fixed("write a == `null`")),
        (r"(?<=[\w\])}\"'`])\s+(?i:contains|matches)\b", _fixed("write contains(a, 'text')")),
        (
            r"(?<=[\w\])}\"'`])\s+(?i:i?like)\b",
            _fixed("write starts_with(a, 'text'), ends_with(a, 'text') or contains(a, 'text')"),
        ),
        (r"->>?", _arrow),
        (r"(?<=[\w\])}\"'`])\s*(?<!&)&(?!&)(?=\s*[\w(!@\"'`])", _fixed("write &&")),
        (r"(?<=[\w\])}\"'`])\s+(?i:eq)\b", _fixed("equality is ==")),
        (r"===", _fixed("equality is ==")),
        (r"!==", _fixed("inequality is !=")),
        (r"<>", _fixed("inequality is !=")),
        (r"\?\?", _fixed("write ||")),
        (r"\?\.", _fixed("write a.b: where a is missing, so is a.b")),
        (r"(?<!\[)\?", _condition),
        (r"\s*\+\s*", _arithmetic("add")),
        (r"(?<=[\w\])}\"'`])\s+-\s+", _arithmetic("subtract")),
        (r"(?<=[\w\])}\"'`])\s*/\s*", _arithmetic("divide")),
        (r"(?<=[\w)}\"'`])\s*\*\s*(?=[\w(\"`])", _arithmetic("multiply")),
        (r"(?<=[\w\])}\"'`])\s*%\s*", _fixed("there is no remainder here: use a Python mapper")),
        (r"(?<=\w)-(?=\w)", _dashed),
        (r"(?<![\w.\[:`-])-?\d+(?:\.\d+)?(?![\w:])", _number),
    )
)
"""Tried on the text with everything in quotes blanked out."""

_BRACKET = re.compile(r"\[\s*(['\"])([^'\"]*)\1\s*\]")


def habit(text: str, position: int) -> tuple[int, str] | None:
    """The syntax of another language that makes a text invalid.

    Args:
        text: what is no expression.
        position: where the parser stopped.

    Returns:
        Where the habit is, and what to write instead; None if none is known.
    """
    blank = _QUOTED.sub(lambda quoted: quoted[0][0] + " " * (len(quoted[0]) - 2) + quoted[0][-1], text)
    found = [
        (_start(match), order, match, meant)
        for order, (pattern, meant) in enumerate(_HABITS)
        for match in pattern.finditer(blank)
    ]
    found += [
        (match.start(), -1, match, _bracket)
        for match in _BRACKET.finditer(text)
        if blank[match.start()] == "[" and re.match(r"[\w\])\"]", text[match.start() - 1 : match.start()])
    ]
    near = [each for each in found if each[0] <= position]
    if not near:
        return None
    start, _, match, meant = max(near, key=lambda each: (each[0], -each[1]))
    return start, meant(match, text)


def _start(match: re.Match[str]) -> int:
    """Where the habit's own characters begin."""
    return match.start() + len(match[0]) - len(match[0].lstrip())
