"""A JUnit report of fixtures, for CI servers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement

if TYPE_CHECKING:
    from worker.mapping.trying.fixtures import FixtureResult


def write_report(file: Path, results: Sequence[FixtureResult]) -> None:
    """Write the report. Raises OSError."""
    failures = sum(not result.passed for result in results)
    suite = Element("testsuite", name="mapping fixtures", tests=str(len(results)), failures=str(failures))
    for result in results:
        case = SubElement(suite, "testcase", classname=result.fixture.at, name=result.fixture.name)
        if not result.passed:
            SubElement(case, "failure", message=f"{result.fixture.at} differs").text = _text(result.diff)
    ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)


def _text(text: str) -> str:
    """The text with characters replaced that XML 1.0 cannot represent."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
