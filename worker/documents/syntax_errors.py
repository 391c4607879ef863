"""What to do about text that is not YAML: mostly an expression that needs quotes."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

from worker.documents.problems import Problem

_VALUE = re.compile(r"""\s*(?:-\s+)*[\w."'-]+:\s+(?P<value>[!@`%'"].*?)\s*(?:\s#.*)?""")
"""A line that holds a key and a value which begins with a character that means something to YAML."""


def syntax_problem(error: MarkedYAMLError, file: str, lines: list[str]) -> Problem:
    """The error of the YAML library in one sentence, with a hint.

    Args:
        error: the library's.
        file: the file as the user named it.
        lines: its lines.
    """
    mark = error.problem_mark or error.context_mark
    said = ", ".join(str(part) for part in (error.context, error.problem) if part)
    if mark is None:
        return Problem(f"not YAML: {said}", file)
    line = lines[mark.line] if mark.line < len(lines) else ""
    if (found := _VALUE.fullmatch(line)) and found["value"].startswith("!"):
        at = mark.line + 1, found.start("value") + 1
        return Problem("YAML reads what begins with ! as a tag", file, *at, hint=quotes_hint(line))
    return Problem(f"not YAML: {said}", file, mark.line + 1, mark.column + 1, hint=_hint(said, line))


def _hint(said: str, line: str) -> str | None:
    if "cannot start any token" in said and any(character in said for character in ("'@'", "'`'", "'%'")):
        return f"YAML reserves this character: {quotes_hint(line)}"
    if "but found '<scalar>'" in said:
        return f"a value that begins with a quote ends with it: {quotes_hint(line)}"
    if "mapping values are not allowed" in said:
        return "a value that holds ': ' needs quotes; else look at the indentation"
    if "expected ',' or" in said:
        return "close every [ and {; inside them, a value that holds one of [ ] { } , needs quotes"
    return None


def quotes_hint(line: str) -> str:
    """To put the value of a line in quotes, with the value in quotes where the line holds nothing else."""
    found = _VALUE.fullmatch(line)
    hint = "put the whole value in quotes"
    return f"{hint}: {_quoted(found['value'])}" if found else hint


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'
