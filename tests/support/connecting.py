"""`docs/connecting.md` as its tests read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support import markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "connecting.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")

MOUNTED = "/run/secrets/"
"""Where the examples have their secrets; tests put a folder of their own in its place."""


@dataclass(frozen=True)
class Row:
    """One row of the table of what is wrong.

    Attributes:
        wrong: what is wrong.
        check: what `check --connect` says; `...` stands for anything.
        reason: of `/readyz` and of the log; "" if the worker does not start.
        code: with which the worker ends by itself; None if it goes on.
    """

    wrong: str
    check: str
    reason: str
    code: int | None

    @property
    def pattern(self) -> str:
        """`check`, as a regular expression."""
        return ".*".join(map(re.escape, self.check.split("...")))


def examples() -> dict[str, str]:
    """The settings that each section shows, by its title."""
    return {
        section.title: block.text
        for section in markdown.sections(TEXT)
        for block in section.blocks
        if block.language == "yaml"
    }


def rows() -> list[Row]:
    """The table of what is wrong."""
    (table,) = re.findall(r"\| what is wrong \|.*\n\|[- |]+\n((?:\|.*\n)+)", TEXT)
    return [_row(*map(str.strip, line.strip("|").split(" | "))) for line in table.splitlines()]


def _row(wrong: str, check: str, outcome: str) -> Row:
    reason, code = re.search(r"`(\w+)`", outcome), re.search(r"exit (\d)", outcome)
    return Row(
        wrong.replace("`", ""),
        check.strip("`"),
        reason[1] if reason else "",
        int(code[1]) if code else None,
    )
