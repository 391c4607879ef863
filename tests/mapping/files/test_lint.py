"""What `check` finds in mappings that are legal, or written in the manner of another language.

`lint/` has four sets, each written by itself for other domains. A file of `mistakes` says what was meant and what is
expected: `# Expect LINE:COLUMN words`; one of `sound` says what is meant. Behind `---` stand the events of fixtures.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from worker.cli.main import run
from worker.mapping.files.rules import json_schema

SCHEMA = Draft202012Validator(json_schema())
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


def test_an_error_in_one_rule_hides_nothing_of_other_rules_and_files(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.yaml").write_text(
        "topics: [u]\nrules:\n  - {call: track, event: type, userId: id}\n", encoding="utf-8"
    )
    mapping = (
        "topics: [t]\n"
        "rules:\n"
        "  - {when: a and b, call: identify, userId: id}\n"
        "  - {when: a, call: identify, userId: {{id}}}\n"
        '  - {when: b, call: identify, userId: id, traits: {a: "!a.b", d: custmer}}\n'
        "  - {when: b, call: track, event: Ordre Completed, userId: id}\n"
    )
    (tmp_path / "mapping.yaml").write_text(mapping, encoding="utf-8")
    (tmp_path / "worker.yaml").write_text(
        f"kafka: {{group: 7}}\nmappings: [{tmp_path}/mapping.yaml, {tmp_path}/other.yaml]\n", encoding="utf-8"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "wrong.yaml").write_text("- {topic: t}\n", encoding="utf-8")
    (tmp_path / "tests" / "right.yaml").write_text(
        "- {topic: t, event: {b: 1, customer: 7}, calls: []}\n", encoding="utf-8"
    )

    run(["check", "--json", "--config", str(tmp_path / "worker.yaml")])

    problems = json.loads(capfd.readouterr().out)["problems"]
    found = [(Path(each["file"]).name, each["line"], each["warning"]) for each in problems]
    assert found == [
        ("mapping.yaml", 3, False),
        ("mapping.yaml", 4, False),
        ("mapping.yaml", 5, True),
        ("mapping.yaml", 5, True),
        ("mapping.yaml", 6, True),
        ("mapping.yaml", 6, True),
        ("other.yaml", 3, True),
        ("worker.yaml", 1, False),
    ]


def test_a_warning_of_lint_takes_the_place_of_another_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mapping = "topics: [t]\nrules:\n  - {call: track, event: \"'Order Complete'\", userId: id}\n"
    assert len(check(tmp_path, mapping, [], capfd)) == 1


EVENT = {
    "type": "visit.booked",
    "patient": {"id": "p-1", "age": 40},
    "visit": {"room": "A", "items": [{"code": "x", "n": 2}]},
}


@pytest.mark.parametrize(
    ("expression", "column", "words"),
    [
        ("type == visit.booked", 15, "'visit.booked'"),
        ("type == 'visit.boked'", 15, "did you mean 'visit.booked'?"),
        ("type == 'a' | type == 'b'", 19, "write ||"),
        ("starts_with(type, visit)", 7, "a string, an object"),
        ("lower(patient.age)", 7, "a number"),
        ("sort(visit.items)", 7, "a list of objects"),
        ("visit.items.code", 19, "[].code"),
        ("patient.idd", 15, "did you mean 'id'?"),
        ("type == True", 15, "`true`"),
        ("\"'visit.room'\"", 8, "visit.room"),
        ("type || 'a' || 'b'", 19, "never used"),
        ("visit.items[?code == 'x' || 'y']", 20, "each side"),
        ("visit.room | [type(@) == 'int'][0]", None, ""),
    ],
)
def test_more_than_the_sets_hold_is_found(
    expression: str, column: int | None, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mapping = (
        f"topics: [visits]\nrules:\n- call: identify\n  userId: patient.id\n  traits:\n   x: {expression}\n"
    )

    found = check(tmp_path, mapping, [EVENT], capfd)

    assert [(problem["line"], problem["column"]) for problem in found] == ([(6, column)] if column else [])
    assert all(words in f"{problem['message']} ({problem['hint']})" for problem in found)


def test_findings_are_errors_under_strict(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check(tmp_path, "topics: [t]\nrules:\n  - {call: track, event: type, userId: id}\n", [], capfd)

    assert run(["check", "--config", str(tmp_path / "worker.yaml")]) == 0
    assert run(["check", "--strict", "--config", str(tmp_path / "worker.yaml")]) == 1


@pytest.mark.parametrize("path", [*MISTAKES, *SOUND], ids=name)
def test_the_schema_refuses_no_mapping_that_is_legal(
    path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mapping, _ = read(path)
    if all(problem["warning"] for problem in check(tmp_path, mapping, [], capfd)):
        assert SCHEMA.is_valid(YAML(typ="safe", pure=True).load(mapping))


@pytest.mark.parametrize(
    "text",
    [
        "$.a",
        ".a",
        "a and b",
        "a OR b",
        "not a",
        "a > 0",
        "a == -1",
        "a + b",
        "{{a}}",
        "a->b",
        "f(a) > 5 && b",
    ],
)
def test_the_schema_refuses_habits_of_other_languages(text: str) -> None:
    rule = {"when": text, "call": "identify", "userId": "id"}
    assert not SCHEMA.is_valid({"topics": ["t"], "rules": [rule]})


def test_the_sets_are_complete() -> None:
    for which in ("set_a", "set_b", "set_c", "set_d"):
        for kind in ("mistakes", "sound"):
            assert len(list((FOLDER / which / kind).glob("*.yaml"))) >= 40


def test_nothing_is_found_in_the_example_configuration(capfd: pytest.CaptureFixture[str]) -> None:
    run(["check", "--json", "--config", str(Path(__file__).parents[3] / "config" / "worker.yaml")])
    assert json.loads(capfd.readouterr().out)["problems"] == []
