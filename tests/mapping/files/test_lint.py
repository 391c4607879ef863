"""What `check` finds in mappings that are legal, or written in the manner of another language.

`lint/` has two sets, each written by itself for other domains. A file of `mistakes` says what was meant and what is
expected: `# Expect LINE:COLUMN words`; one of `sound` says what is meant. Behind `---` stand the events of fixtures.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from worker.cli.main import run

FOLDER = Path(__file__).parent / "lint"
MISTAKES = sorted(FOLDER.glob("set_*/mistakes/*.yaml"))
SOUND = sorted(FOLDER.glob("set_*/sound/*.yaml"))


def name(path: Path) -> str:
    """A file's name in its set."""
    return f"{path.parent.parent.name}-{path.stem}"


def check(
    folder: Path, mapping: str, events: list[Any], capfd: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    """What `check --json` reports of one mapping, with fixtures of these events."""
    topics = YAML(typ="safe", pure=True).load(mapping)["topics"] if events else []
    fixtures = [{"topic": topics[0], "event": event, "calls": []} for event in events]
    (folder / "tests").mkdir()
    (folder / "tests" / "events.yaml").write_text(json.dumps(fixtures), encoding="utf-8")
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (folder / "worker.yaml").write_text(f"mappings: [{folder}/mapping.yaml]\n", encoding="utf-8")
    run(["check", "--json", "--config", str(folder / "worker.yaml")])
    problems: list[dict[str, Any]] = json.loads(capfd.readouterr().out)["problems"]
    return problems


def read(path: Path) -> tuple[str, list[Any]]:
    """The mapping of a file, and its events."""
    mapping, _, events = path.read_text(encoding="utf-8").partition("\n---\n")
    return f"{mapping}\n", YAML(typ="safe", pure=True).load(events) if events else []


@pytest.mark.parametrize("path", MISTAKES, ids=name)
def test_each_mistake_is_found_once_and_at_its_place(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mapping, events = read(path)
    expected = re.search(r"^# Expect (\d+):(\d+) (.*)$", mapping, re.MULTILINE)
    assert expected is not None

    found = check(tmp_path, mapping, events, capfd)

    assert [(problem["line"], problem["column"]) for problem in found] == [
        (int(expected[1]), int(expected[2]))
    ]
    assert expected[3] in f"{found[0]['message']} ({found[0]['hint']})"


@pytest.mark.parametrize("path", SOUND, ids=name)
def test_nothing_is_found_in_a_sound_mapping(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, *read(path), capfd) == []


def test_the_sets_are_complete() -> None:
    for which in ("set_a", "set_b"):
        for kind in ("mistakes", "sound"):
            assert len(list((FOLDER / which / kind).glob("*.yaml"))) >= 40
