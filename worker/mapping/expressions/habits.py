"""Suggestions for text that is an expression in another language, but not in JMESPath."""

from __future__ import annotations

import re
from collections.abc import Callable

from worker.mapping.expressions import functions
from worker.mapping.expressions.foreign_names import function_hint
from worker.mapping.expressions.parser import UNQUOTED_NAME
from worker.mapping.expressions.text import concatenation, filled

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`(?:[^`\\]|\\.)*`", re.DOTALL)
_PATH = r"""[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|"[^"]*"))*"""

_Meant = Callable[[re.Match[str], str], str]
"""From where a habit was found, and the whole text, to the hint."""


def _path_after(found: re.Match[str], text: str) -> str:
    path = re.match(rf"(?:\[['\"])?({_PATH})", text[found.end() :])
    return f"write {path[1]}" if path else "a field is named without anything before it"


_PLACEHOLDER = re.compile(r"(?:\{\{|\$\{|#\{|\{)(.*?)\}\}?", re.DOTALL)


def _without_braces(found: re.Match[str], text: str) -> str:
    whole = _PLACEHOLDER.fullmatch(text.strip())
    if whole:
        return f"an expression is written without braces: {whole[1].strip() or 'a.b'}"
    closing = "}" * found[0].count("{")
    return f"there are no templates such as {found[0]}a{closing}: write {filled(text, _PLACEHOLDER)}"


def _arithmetic(name: str) -> _Meant:
    def meant(found: re.Match[str], text: str) -> str:
        operator = found[0].strip()
        if operator == "+" and re.search(r"['\"]", text):
            joined = concatenation([part.strip() for part in _split(text, "+")])
            return f"+ does not join text here: write {joined}; numbers are added by add(a, b)"
        sides = _sides(found, text)
        texts = f", or {concatenation(sides)} for texts" if operator == "+" else ""
        return f"write {name}({', '.join(sides)}){texts}"

    return meant


def _split(text: str, operator: str) -> list[str]:
    """The parts of a text between operators that stand outside of quotes."""
    ends = [at for at, character in enumerate(_without_quoted(text)) if character == operator]
    return [
        text[start:end] for start, end in zip([0, *(at + 1 for at in ends)], [*ends, len(text)], strict=True)
    ]


def _sides(found: re.Match[str], text: str) -> list[str]:
    left = re.search(rf"({_PATH}|`[^`]*`|\d+(?:\.\d+)?)\s*$", text[: found.start()])
    right = re.match(rf"\s*({_PATH}|`[^`]*`|\d+(?:\.\d+)?)", text[found.end() :])
    if not left or not right:
        return ["a", "b"]
    return [f"`{side}`" if side[0].isdigit() else side for side in (left[1], right[1])]


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


_TERNARY = re.compile(r"(.+?)\s+\?\s+(.+?)\s+:\s+(.+)", re.DOTALL)


def ternary_hint(line: str) -> str | None:
    """What to write for `key: a ? b : c`, which YAML itself cannot read; None where a line holds none."""
    _, _, value = line.partition(": ")
    return _condition_hint(value) if re.search(r"\S \? .* : ", value) else None


def _condition(_found: re.Match[str], text: str) -> str:
    return _condition_hint(text)


def _condition_hint(text: str) -> str:
    parts = _TERNARY.fullmatch(text.strip())
    condition, then, otherwise = parts.groups() if parts else ("a", "b", "c")
    return f"a ? b : c is written if({condition}, {then}, {otherwise})"


def _contained(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    values = re.match(r"\s*[(\[]([^()\[\]]*)[)\]]", text[found.end() :])
    return f"write contains([{values[1] if values else '...'}], {before[0] if before else 'a'})"


def _infix(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    after = re.match(rf"\s*('[^']*'|{_PATH})", text[found.end() :])
    part = after[1] if after else "'text'"
    return f"write {found[0].strip().lower()}({before[0] if before else 'a'}, {part})"


def _negative(found: re.Match[str], text: str) -> str:
    path = re.match(_PATH, text[found.end() :])
    return f"write multiply({path[0] if path else 'a'}, `-1`)"


def _quoted_name(found: re.Match[str], text: str) -> str:
    name = re.match(r"(['`])(.*?)\1", text[found.end() :])
    before = re.search(rf"{_PATH}$", text[: found.start() - 1])
    return f'write {before[0] if before else "a"}."{name[2] if name else "b"}"'


def _null(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    what = re.match(r"(?i)\s+(not\s+)?(true|false)?", text[found.end() :])
    operator = "!=" if what and what[1] else "=="
    value = what[2].lower() if what and what[2] else "null"
    return f"write {before[0] if before else 'a'} {operator} `{value}`"


def _alike(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}$", text[: found.start()].rstrip())
    wanted = re.match(r"\s*'(%?)([^'%]*)(%?)'", text[found.end() :])
    if before is None or wanted is None or not (wanted[1] or wanted[3]):
        return "write starts_with(a, 'text'), ends_with(a, 'text') or contains(a, 'text')"
    function = "contains" if wanted[1] and wanted[3] else "ends_with" if wanted[1] else "starts_with"
    return f"write {function}({before[0]}, '{wanted[2]}')"


def _negated(found: re.Match[str], text: str) -> str:
    after = re.match(rf"\s*(?:({_PATH})\s*(?:&&|\|\||$)|(\([^()]*\)))", text[found.end() :])
    if after is None or found[0].lower().endswith("in"):
        return "write ! before what is negated: !(a)"
    return f"write !{after[2] or (after[1] if UNQUOTED_NAME.fullmatch(after[1]) else f'({after[1]})')}"


def _filter(found: re.Match[str], text: str) -> str:
    before = re.search(rf"{_PATH}\[$", text[: found.start()])
    inner = re.match(r"[^\[\]]*\]", text[found.start() :])
    return f"write {before[0] if before else 'a['}?{inner[0] if inner else '...]'}"


_DOTTED_INDEX = re.compile(r"\.([0-9]+)(?!\w)")


def _element(found: re.Match[str], text: str) -> str:
    path = next((each for each in re.finditer(r"[\w.]+", text) if each.end() > found.start()), None)
    indexed = _DOTTED_INDEX.sub(r"[\1]", path[0]) if path else "a[0]"
    return f"write {indexed}"


def _expression_argument(found: re.Match[str], text: str) -> str:
    argument = text[found.start("at") : found.end("at")].strip("'")
    return f"write {found['name']}({found['items']}, &{argument})"


def _method(found: re.Match[str], text: str) -> str:
    name, arguments = found["at"], re.match(r"([^()]*)\)", text[found.end() :])
    if functions.arity(name) is None:
        hint = re.search(r"did you mean '(\w+)'", function_hint(name) or "")
        name = hint[1] if hint else "f"
    others = f", {arguments[1].strip()}" if arguments and arguments[1].strip() else ""
    return f"write {name}({found['path']}{others})"


def _number(found: re.Match[str], _text: str) -> str:
    return f"a number is written in backticks: `{found[0]}`"


def _fixed(hint: str) -> _Meant:
    return lambda _found, _text: hint


_HABITS: tuple[tuple[re.Pattern[str], _Meant], ...] = tuple(
    (re.compile(pattern), meant)
    for pattern, meant in (
        (r"\{\{|\$\{|#\{|(?<![\[.|&(,:])\{(?=[A-Za-z_][\w.]*\})", _without_braces),
        (r"(?<=[\w\])}]\.)(?=['`])", _quoted_name),
        (r"(?<![\w\])}\"'`\s-])\s*-(?=[A-Za-z_])", _negative),
        (r"\$\.(?=[A-Za-z_\"])|\$(?=[\[\"])", _path_after),
        (r"(?<![\w\])}*\"'.])\.(?=[A-Za-z_\"])", _path_after),
        (r"(?<=[\w\])}\"'`])\s+(?i:and)\b(?=\s*[\w(!@\"'`])", _fixed("write &&")),
        (r"(?<=[\w\])}\"'`])\s+(?i:or)\b(?=\s*[\w(!@\"'`])", _fixed("write ||")),
        (r"(?<![\w.])(?i:not)(?:\s+in)?\b(?=\s*[\w(\"@])", _negated),
        (r"(?<=[\w\])}\"'`])\s+(?i:in)\b(?=\s*[\w(\[\"'`])", _contained),
        (r"(?<=[\w\])}\"'`])\s+(?i:between)\b", _fixed("write a >= `1` && a <= `2`")),
        (r"(?<=[\w\])}\"'`])\s*(?:=~|~)", _fixed("write matches(a, 'pattern')")),
        (r"[\u2018\u2019\u201c\u201d]", _fixed("literal text is written in straight single quotes")),
        (r"(?<=[\w\])}\"'`])\s+(?i:is)\b(?=\s*[\w])", _null),
        (r"(?<=[\w\])}\"'`])\s+(?i:contains|matches|starts_with|ends_with)\b", _infix),
        (r"(?<=[\w\])}\"'`])\s+(?i:i?like)\b", _alike),
        (r"->>?", _arrow),
        (r"(?<=[\w\])}\"'`])\s*(?<!&)&(?!&)(?=\s*[\w(!@\"'`])", _fixed("write &&")),
        (r"(?<=[\w\])}\"'`])\s+(?i:eq)\b", _fixed("equality is ==")),
        (r"===", _fixed("write ==")),
        (r"!==", _fixed("inequality is !=")),
        (r"<>", _fixed("inequality is !=")),
        (r"\?\?", _fixed("write ||")),
        (r"\?\.", lambda _, text: f"write {text.replace('?.', '.').strip()}: what is missing has no fields"),
        (r"(?<!\[)\?", _condition),
        (r"\s*\+\s*", _arithmetic("add")),
        (r"(?<=[\w\])}\"'`])\s+-\s+", _arithmetic("subtract")),
        (r"(?<=[\w\])}\"'`])\s*/\s*", _arithmetic("divide")),
        (r"(?<=[\w)}\"'`])\s*\*\s*(?=[\w(\"`])", _arithmetic("multiply")),
        (r"(?<=[\w\])}\"'`])\s*%\s*", _fixed("there is no remainder here: use a Python mapper")),
        (r"(?<=\w)-(?=\w)", _dashed),
        (r"(?<=[\w\])}\"]\[)(?=[^\[\]?]*(?:[=!<>]=|[<>]))", _filter),
        (r"(?<=[\w\])}\"]\.)\d+(?!\w)", _element),
        (
            rf"(?P<name>sort_by|max_by|min_by)\((?P<items>{_PATH}),\s*(?P<at>{_PATH}|'[^']*')(?=\))",
            _expression_argument,
        ),
        (
            rf"map\((?P<at>{_PATH}),\s*(?P<each>&[^,()]+)(?=\))",
            lambda found, _: f"write map({found['each']}, {found['at']})",
        ),
        (rf"(?P<path>{_PATH})\.(?P<at>[A-Za-z_]\w*)\(", _method),
        (r"(?<![\w.\[:`-])-?\d+(?:\.\d+)?(?![\w:])", _number),
    )
)
"""Tried on the text with everything in quotes blanked out."""


def _without_quoted(text: str) -> str:
    return _QUOTED.sub(lambda quoted: quoted[0][0] + " " * (len(quoted[0]) - 2) + quoted[0][-1], text)


_BRACKET = re.compile(r"\[\s*(['\"])([^'\"]*)\1\s*\]")


def habit(text: str, position: int) -> tuple[int, str] | None:
    """The syntax of another language that makes a text invalid.

    Args:
        text: the invalid expression.
        position: where the parser stopped.

    Returns:
        Where the habit is, and what to write instead; None if none is known.
    """
    blank = _without_quoted(text)
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
    near = [
        each
        for each in found
        if each[0] <= position and ("at" not in each[2].re.groupindex or each[0] == position)
    ]
    if not near:
        return None
    start, _, match, meant = max(near, key=lambda each: (each[0], -each[1]))
    return start, meant(match, text)


def _start(match: re.Match[str]) -> int:
    """Where the habit's own characters begin."""
    if "at" in match.re.groupindex:
        return match.start("at")
    return match.start() + len(match[0]) - len(match[0].lstrip())
