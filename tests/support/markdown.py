"""Markdown as the tests of the documents read it: fenced blocks, headings, links, code in lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[a-z]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^(?P<marks>#{1,6}) (?P<title>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)|(?:src|href)=\"(?P<source>[^\"]+)\"")
_CODE = re.compile(r"`(?P<text>[^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: what stands behind the fence.
        text: what it holds.
        line: of the file, from 1, where its text begins.
    """

    language: str
    text: str
    line: int

    @property
    def path(self) -> str | None:
        """The file that it shows, if its first line is a comment that names one."""
        named = re.match(r"# ([\w/.-]+\.(?:ya?ml|py|json))\n", self.text)
        return named[1] if named else None


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, up to the next heading of any level.

    Attributes:
        title: the heading.
        level: 1 to 6.
        blocks: its fenced blocks, in order.
    """

    title: str
    level: int
    blocks: tuple[Block, ...]


def blocks(text: str) -> list[Block]:
    """All fenced blocks."""
    return [
        Block(fence["language"], fence["text"], text.count("\n", 0, fence.start("text")) + 1)
        for fence in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """The text without what is fenced; lines keep their numbers."""
    return _FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)


def sections(text: str) -> list[Section]:
    """The sections with their blocks."""
    all_blocks = blocks(text)
    headings = list(_HEADING.finditer(prose_of_same_length(text)))
    ends = [*(heading.start() for heading in headings), len(text)][1:]
    found = []
    for heading, end in zip(headings, ends, strict=True):
        first = text.count("\n", 0, heading.start()) + 1
        last = text.count("\n", 0, end) + 1
        inside = tuple(block for block in all_blocks if first < block.line <= last)
        found.append(Section(heading["title"], len(heading["marks"]), inside))
    return found


def under(title: str, text: str) -> list[Section]:
    """The section of this title with those of lower levels below it."""
    found: list[Section] = []
    for section in sections(text):
        if section.title == title or (found and section.level > found[0].level):
            found.append(section)
        elif found:
            break
    return found


def prose_of_same_length(text: str) -> str:
    """The text with every fenced character but line ends blanked: positions stay."""
    return _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), text)


def links(text: str) -> list[str]:
    """The targets of links and pictures."""
    return [link["target"] or link["source"] for link in _LINK.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """What `#...` may name, as GitHub makes it of headings."""
    titles = (heading["title"] for heading in _HEADING.finditer(prose(text)))
    return {
        re.sub(r"[^\w\- ]", "", title.replace("`", "")).strip().lower().replace(" ", "-") for title in titles
    }


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words of each command line of `program`: in shell blocks and in code within lines."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks(text)
        if block.language in {"sh", "console"}
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    lines += [code["text"] for code in _CODE.finditer(prose(text))]
    for line in lines:
        for command in re.split(r"\s*(?:\||&&|;|<|>|#)\s*", line):
            words = command.split()
            while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
                del words[0]
            if words and words[0].rpartition("/")[2] == program:
                yield words[1:]


def files(root: Path) -> list[Path]:
    """The documents: what people read first, and everything in docs/."""
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])
