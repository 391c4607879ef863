"""The documents that the worker serves itself, and the links of the status page into them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support import markdown
from worker.adapters.http.manual import OPERATIONS, PAGES, explained, manual_page
from worker.dead_letters.runbook import RUNBOOK, section_of

ROOT = Path(__file__).parents[3]


def page_of(name: str) -> str:
    page = manual_page(name)
    assert page is not None
    return page.body.decode()


@pytest.mark.parametrize("name", PAGES)
def test_every_heading_has_the_anchor_that_links_use(name: str) -> None:
    anchors = set(re.findall(r'<h\d id="([^"]*)"', page_of(name)))
    assert anchors == markdown.anchors((ROOT / "docs" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r'href="([^"]*)"', page_of(name)):
        file, _, anchor = target.partition("#")
        if target.startswith(("https://", "data:")) or file == "../":
            continue
        assert file in ("", *PAGES), target
        assert not anchor or f'id="{anchor}"' in page_of(file or name), target


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_no_script_and_loads_nothing(name: str) -> None:
    page = manual_page(name)
    assert page is not None
    assert "script-src 'none'" in page.policy
    assert not re.search(rb"<(?:script|img|link (?!rel=\"icon\"))", page.body)
    assert b"{{" not in re.sub(rb"(?s)<(code|pre)>.*?</\1>", b"", page.body)


@pytest.mark.parametrize("name", ["nothing.md", "../pyproject.toml", "performance.md", ""])
def test_nothing_else_is_served(name: str) -> None:
    assert manual_page(name) is None


def test_the_build_packages_what_is_served() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    manual = {source: target for source, target in included.items() if source.startswith("docs/")}
    assert manual == {f"docs/{name}": f"worker/manual/{name}" for name in PAGES}


@pytest.mark.parametrize("reason", [*RUNBOOK, "HTTP_503", "HTTP_499", "A_MAPPERS_OWN"])
def test_every_reason_of_dead_letters_has_a_section_and_a_meaning(reason: str) -> None:
    known = explained([reason])[reason]
    assert known["link"] == f"docs/{OPERATIONS}#{section_of(reason).lower()}"
    assert f'id="{known["link"].partition("#")[2]}"' in page_of(OPERATIONS)
    assert known["meaning"]


def test_every_reason_of_readyz_has_a_section() -> None:
    text = (ROOT / "docs" / OPERATIONS).read_text(encoding="utf-8")
    reasons = [each.title for each in markdown.under("`/readyz` reasons", text)[1:]]
    assert len(reasons) > 15
    for reason in reasons:
        assert explained([reason])[reason]["link"] == f"docs/{OPERATIONS}#{reason.lower()}"


def test_no_reason_is_no_entry() -> None:
    assert explained([None]) == {}
