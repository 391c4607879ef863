"""The documents of this version of the worker, as pages: what the status page's links lead to, without a network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

import worker
from worker.adapters.http.page import Page, text_of
from worker.dead_letters.runbook import RUNBOOK, entry_for, section_of

OPERATIONS = "operations.md"

PAGES = (
    "operations.md",
    "connecting.md",
    "meaning.md",
    "mapping.md",
    "guarantees.md",
    "deploying.md",
    "sizing.md",
)
"""The documents that an operator needs; the build copies them into the package (`force-include` in pyproject.toml)."""


def manual_page(name: str) -> Page | None:
    """A document as a page; None if there is none with this name."""
    return _page(name) if name in PAGES else None


def explained(codes: Iterable[str | None]) -> dict[str, dict[str, str]]:
    """What each reason means, and the link to its section: reasons of dead letters, holds and `/readyz`."""
    sections = _sections()
    found = {}
    for code in codes:
        if code and code.lower() in sections and code not in RUNBOOK:
            found[code] = {"link": f"docs/{OPERATIONS}#{code.lower()}", "meaning": ""}
        elif code:
            found[code] = {
                "link": f"docs/{OPERATIONS}#{section_of(code).lower()}",
                "meaning": entry_for(code).meaning,
            }
    return found


@cache
def _sections() -> frozenset[str]:
    """The anchors of the operations manual."""
    return frozenset(_anchor(title) for title in re.findall(r"^#+ (.+)$", _text(OPERATIONS), re.MULTILINE))


@cache
def _page(name: str) -> Page:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(_text(name))
    _add_anchors(tokens)
    _drop_dead_links(tokens)
    links = "".join(f'<a href="{each}">{_title(each)}</a>' for each in PAGES)
    return Page.of(
        text_of("manual.html"),
        title=_title(name),
        style=text_of("style.css"),
        pages=links,
        text=markdown.renderer.render(tokens, markdown.options, {}),
    )


def _add_anchors(tokens: list[Token]) -> None:
    for heading, inline in pairwise(tokens):
        if heading.type == "heading_open":
            heading.attrSet("id", _anchor(inline.content))


def _drop_dead_links(tokens: list[Token]) -> None:
    """Leave only the text of links to documents that are not served here."""
    for inline in (each for each in tokens if each.children):
        kept: list[Token] = []
        dead = False
        for token in inline.children or ():
            if token.type == "link_open":
                dead = not _leads_somewhere(str(token.attrGet("href")))
            if not (dead and token.type in {"link_open", "link_close"}):
                kept.append(token)
        inline.children = kept


def _leads_somewhere(target: str) -> bool:
    return target.startswith(("#", "https://")) or target.partition("#")[0] in PAGES


def _anchor(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")


def _title(name: str) -> str:
    return escape(_text(name).partition("\n")[0].removeprefix("# "))


def _text(name: str) -> str:
    """The packaged document, or the repository's in an editable install."""
    package = Path(worker.__file__).parent
    packaged = package / "manual" / name
    return (packaged if packaged.is_file() else package.parent / "docs" / name).read_text("utf-8")
