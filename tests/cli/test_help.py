"""Every `--help`: whole sentences within the terminal, the user's words, an example; and shell completion."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.support.program import ROOT, Cli
from worker.cli.main import PROGRAM, app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands, with its name."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))
PATHS = [pytest.param(path, id=" ".join(path) or PROGRAM) for path in COMMANDS]
RAW = re.compile(
    r"\b(?:INTEGER|FLOAT|BOOLEAN|RANGE)\b|<[a-z\[\] ]+>|x>=|\[env var|None|\.\.\.$", re.MULTILINE
)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("path", PATHS)
def test_help_fits_the_terminal_in_whole_sentences(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = cli(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= columns
    text = done.out.partition("\n\n")[2]  # without the usage
    assert not RAW.search(text), RAW.search(text)


@pytest.mark.parametrize("path", PATHS)
def test_every_option_has_a_sentence(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert re.match(r"[A-Z].*\.(\s|$)", command.help, re.DOTALL)
    for parameter in command.params:
        if not parameter.hidden:
            assert re.match(r"[A-Z`].*\.$", parameter.help, re.DOTALL), parameter.name
            assert parameter.metavar or getattr(parameter, "is_flag", False), parameter.name


@pytest.mark.parametrize("path", PATHS)
def test_every_command_has_an_example_that_is_a_command_line(cli: Cli, path: tuple[str, ...]) -> None:
    lines = re.findall(rf"^ +{PROGRAM} (.*)$", cli(*path, "--help").out.partition("Example")[2], re.MULTILINE)
    assert lines
    for line in lines:
        words = [word.strip("'") for word in line.partition(" > ")[0].split()]
        named = max((each for each in COMMANDS if tuple(words[: len(each)]) == each), key=len)
        assert named[: len(path)] == path or not path
        known = {option for parameter in COMMANDS[named].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("path", PATHS)
def test_config_is_shown_where_it_means_something_and_taken_everywhere(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    if not path or hasattr(command, "commands"):
        return
    (config,) = [parameter for parameter in command.params if "--config" in parameter.opts]
    source = inspect.getsource(inspect.unwrap(command.callback))
    assert config.hidden is not any(each in source for each in ("chosen_config(", "named_config("))


def completed(cli: Cli, monkeypatch: pytest.MonkeyPatch, words: str) -> set[str]:
    """What the shell is told for the last word of a command line."""
    monkeypatch.setenv("_PIPELINES_WORKER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"{PROGRAM} {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    return set(cli().out.split())


@pytest.mark.parametrize("path", PATHS)
def test_the_shell_completes_every_command_and_its_options(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    command = COMMANDS[path]
    options = {
        option
        for each in command.params
        if not each.hidden
        for option in each.opts
        if option.startswith("--")
    }
    assert options | {"--help"} <= completed(cli, monkeypatch, " ".join([*path, "--"]))
    if hasattr(command, "commands"):
        assert command.commands.keys() <= completed(cli, monkeypatch, " ".join([*path, ""]))


def test_the_shell_completes_reasons_and_stages(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(cli, monkeypatch, "dlq list --reason MISSING") == {"MISSING_ID", "MISSING_FIELD"}
    assert completed(cli, monkeypatch, "dlq replay --stage d") == {"decode", "deliver"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script_for_each_shell(shell: str) -> None:
    environ = {
        "_PIPELINES_WORKER_COMPLETE": f"source_{shell}",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker"], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert PROGRAM in done.stdout


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    (tmp_path / PROGRAM).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m worker "$@"\n')
    (tmp_path / PROGRAM).chmod(0o755)
    script = f"""\
    source <(_PIPELINES_WORKER_COMPLETE=source_bash {PROGRAM})
    COMP_WORDS=({PROGRAM} dlq re) COMP_CWORD=2
    $(complete -p {PROGRAM} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {PROGRAM}
    echo "${{COMPREPLY[@]}}"
    """
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["resolve", "replay"], done.stderr


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ["dlq", "list", "--stage", "nowhere"],
        ["dlq", "resolve", "--yes"],
        ["dlq", "list", "--since", "yesterday"],
        ["map", "no-such-file-anywhere.jsonl"],
        ["run", "--fast"],
        ["check", "--config", "a/rather/long/path/to/a/file/that/does/not/exist/anywhere/worker.yaml"],
        ["run"],
        ["reasons"],
        ["reasons", "ID"],
        ["reasons", "MISING_ID"],
        ["events", "Order Completed"],
        ["test"],
        ["check"],
        ["trace"],
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    cli("init")
    done = cli(*arguments)
    for line in (done.out + done.err).splitlines():
        assert len(line) <= columns or " " not in line.strip(), line
