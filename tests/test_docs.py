"""The documents, held to the code: what they show is run, what they name exists."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from tests.support import markdown
from tests.support.markdown import Block, Section
from worker.cli.main import app, run
from worker.mapping.calls.specs import CALLS
from worker.mapping.expressions.functions import TABLE
from worker.mapping.files.schema import CALL_KEYS, FILE_KEYS, RULE_KEYS

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in markdown.files(ROOT)
}
MAPPING = DOCUMENTS["docs/mapping.md"]
STARTER = (ROOT / "config/worker.yaml").read_text(encoding="utf-8")


def shown(section: Section) -> bool:
    """Whether a section shows something to run."""
    return any(block.language in {"yaml", "python"} for block in section.blocks)


TEN_MINUTES = markdown.under("From an event to a tested mapping in ten minutes", MAPPING)
SHOWN = {
    f"{name}: {section.title}": section
    for name, text in DOCUMENTS.items()
    for section in markdown.sections(text)
    if shown(section)
    and section not in TEN_MINUTES
    and name != "docs/connecting.md"  # tests/test_connecting.py
}


def write(block: Block, folder: Path) -> None:
    """Put a block where a reader would: under the name that it has, or where its kind belongs."""
    path = folder / (block.path or place(block))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")


def place(block: Block) -> str:
    """Where a block without a name belongs: a mapping, rules of one, fixtures, or settings."""
    assert block.language == "yaml", f"line {block.line}: a block of {block.language} needs a name"
    content: Any = YAML(typ="safe", pure=True).load(block.text)
    if isinstance(content, list):
        return f"config/tests/line_{block.line}.yaml"
    return f"config/mappings/line_{block.line}.yaml" if "topics" in content else "config/worker.yaml"


def command_lines(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown for it."""
    parts = re.split(r"^\$ (.*(?:\\\n.*)*)\n", block.text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def on_a_terminal(command: str, folder: Path) -> str:
    """What a command prints on a terminal, without its colors."""
    ours, theirs = pty.openpty()
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("WORKER_", "PIPELINES_"))
    }
    process = subprocess.Popen(
        ["bash", "-c", command],
        cwd=folder,
        env=environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
            "COLUMNS": "100",
            "PYTHONPATH": str(ROOT),
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    printed = b""
    while chunk := _read(ours):
        printed += chunk
    os.close(ours)
    process.wait(timeout=60)
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end
        return b""


def pattern(shown: str) -> str:
    """What a shown output stands for: `...` is anything, on a line of its own any lines."""
    lines = (
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else ".*?".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n"
        for line in shown.strip("\n").splitlines()
    )
    return "".join(lines)


@pytest.mark.parametrize("title", SHOWN)
def test_what_a_document_shows_works(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A section's mappings pass `check --strict`, its fixtures pass and come to every rule, its pytest tests pass."""
    section = SHOWN[title]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/worker.yaml").write_text(STARTER)
    for block in section.blocks:
        if block.language in {"yaml", "python"}:
            write(block, tmp_path)
    if not any((tmp_path / "config").glob("mappings/*")):
        write(Block("yaml", "topics: [any]\nrules: [{call: track, event: Any, userId: id}]\n", 0), tmp_path)
    assert run(["check", "--strict"]) == 0, capfd.readouterr()
    if any((tmp_path / "config").glob("tests/*.yaml")):
        assert run(["test"]) == 0, capfd.readouterr()
        assert "no fixture reaches" not in capfd.readouterr().err
    if list(tmp_path.rglob("test_*.py")):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_the_ten_minute_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    """Files are written and commands are run in the order in which they stand; each prints what is shown."""
    assert TEN_MINUTES
    folder = tmp_path
    for block in (block for section in TEN_MINUTES for block in section.blocks):
        if block.language != "console":
            write(block, folder)
            continue
        for command, output in command_lines(block):
            if command.startswith("cd "):
                folder /= command.removeprefix("cd ")
                continue
            printed = on_a_terminal(command, folder)
            assert re.fullmatch(pattern(output), printed), f"line {block.line}: {command}\n{printed}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_line_in_a_document_is_one(name: str) -> None:
    program = typer.main.get_command(app)
    for words in markdown.commands(DOCUMENTS[name], "pipelines-worker"):
        command: Any = program
        rest = list(words)
        while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
            assert rest[0] in command.commands, f"there is no command {' '.join(words)}"
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        known |= {option for parameter in program.params for option in parameter.opts}
        wrong = [word for word in rest if word.startswith("-") and word.partition("=")[0] not in known]
        assert not wrong, f"pipelines-worker {' '.join(words)}: no option {wrong}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_in_a_document_is_one(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in markdown.commands(DOCUMENTS[name], "make") if words} <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    for link in markdown.links(DOCUMENTS[name]):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in markdown.anchors(target.read_text(encoding="utf-8")), link


def test_the_readme_leads_to_every_document() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")} <= set(
        markdown.links(DOCUMENTS["README.md"])
    )


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_is_named_exists(name: str) -> None:
    """Paths of this repository in code within lines; `::` names a test in it."""
    for code in re.findall(r"`([^`\n]+)`", markdown.prose(DOCUMENTS[name])):
        named = re.fullmatch(r"((?:worker|tests|docs|config|deploy|benchmarks)/[\w/.-]*)(?:::(\w+))?", code)
        if named is None or name == "docs/mapping.md":
            continue
        assert (ROOT / named[1]).exists(), code
        if named[2]:
            assert re.search(rf"\bdef {named[2]}\(|\bclass {named[2]}\b", (ROOT / named[1]).read_text()), code


def test_every_document_that_the_code_names_exists() -> None:
    for path in (
        each
        for folder in ("worker", "tests", "config", "benchmarks")
        for each in (ROOT / folder).rglob("*.py")
    ):
        for named in re.findall(r"docs/[\w/-]+(?:\.md)?", path.read_text(encoding="utf-8")):
            assert list(ROOT.glob(f"{named}*")), f"{path}: {named}"


def test_every_promise_names_a_test_that_breaks() -> None:
    promises = [
        section
        for section in markdown.sections(DOCUMENTS["docs/guarantees.md"])
        if section.title[0].isdigit()
    ]
    text = DOCUMENTS["docs/guarantees.md"]
    assert len(promises) == 8
    for promise in re.split(r"^## (?=\d)", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"`tests/[\w/]+\.py::\w+`", promise.partition("\n## ")[0]), promise.partition("\n")[
            0
        ]


def test_the_reference_has_every_key_call_and_function() -> None:
    named = set(re.findall(r"`([^`\n]+)`", markdown.prose(MAPPING)))
    words = {word for code in named for word in re.findall(r"\w+", code)}
    missing = ({*FILE_KEYS, *RULE_KEYS, *CALL_KEYS, *CALLS, *TABLE}) - words
    assert not missing


def test_the_readme_gives_a_reason_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        each for name, some in project["optional-dependencies"].items() if name != "dev" for each in some
    ]
    wanted = {re.split(r"[<>=;\[]", each)[0] for each in [*project["dependencies"], *extras]} - {
        project["name"]
    }
    told = set(re.findall(r"^\| `([\w.-]+)` \|", DOCUMENTS["README.md"], re.MULTILINE))
    assert told == wanted


def test_decisions_are_numbered_without_gaps_and_one_page_each() -> None:
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        assert [section.title for section in markdown.sections(text)[1:]] == [
            "Context",
            "Decision",
            "Consequences",
        ]
        assert len(text.splitlines()) <= 60, path.name
