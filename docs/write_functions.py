"""Writes the reference of functions in docs/mapping.md from the table in the code: `make docs`."""

from __future__ import annotations

from pathlib import Path

from worker.mapping.expressions.functions import TABLE, Function

TARGET = Path(__file__).with_name("mapping.md")

BEGIN = "<!-- Written by `make docs` from worker/mapping/expressions/functions/. Change that, not this table. -->\n"
END = "<!-- The end of what `make docs` writes. -->\n"

_HEAD = """
| function | returns | example | another type, and what rejects the record |
| --- | --- | --- | --- |
"""


def reference() -> str:
    """The table, in the order of the alphabet."""
    return _HEAD + "".join(_row(TABLE[name]) for name in sorted(TABLE)) + "\n"


def _row(function: Function) -> str:
    otherwise = function.wrong_type + (f" Rejects: {function.fails}" if function.fails else "")
    cells = (
        f"`{function.signature}`",
        function.meaning,
        f"{_code(function.example)} is {_code(function.result)}",
        otherwise,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _code(text: str) -> str:
    """Text as code in Markdown, also where it has backticks."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def written(document: str) -> str:
    """The document with the reference in its place."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + reference() + END + after


if __name__ == "__main__":
    TARGET.write_text(written(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
