"""The program as a whole: exit codes, where words go, what becomes of mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import ROOT, Cli
from worker.cli import main
from worker.version import __version__

COMMANDS = ["run", "init", "check", "map", "test", "events", "schema", "demo", "emulator"]

Write = Callable[[str, str], Path]


def test_the_version_goes_to_standard_output(program: Cli) -> None:
    done = program("--version")
    assert (done.code, done.out, done.err) == (0, f"pipelines-worker {__version__}\n", "")


def test_help_names_every_command(cli: Cli) -> None:
    done = cli("--help")
    assert done.code == 0
    assert all(f"  {command}" in done.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_a_config(cli: Cli, command: str) -> None:
    done = cli(command, "--config", "some.yaml", "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: pipelines-worker {command}" in done.out


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["run", "--fast"], ["schema"], ["schema", "kafka"], ["check", "--config"]]
)
def test_a_usage_error_exits_2_and_leaves_standard_output_alone(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.err or "Usage: " in done.err
    assert "Traceback" not in done.err


def test_a_configuration_error_exits_2_with_every_problem(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "batch: {linger: 3}\nfoo: 1\nmappings: [none.yaml]\n")
    done = cli("run")
    assert (done.code, done.out) == (2, "")
    assert "config/worker.yaml:1:17: batch.linger: must be a duration" in done.err
    assert "config/worker.yaml:2:1: foo: unknown key" in done.err
    assert "there is no API key" in done.err
    assert "no mapping file matches 'none.yaml'" in done.err


def test_the_config_may_stand_before_the_command_and_after_it(cli: Cli, write: Write) -> None:
    option = ["--config", str(write("other/w.yaml", "foo: 1"))]
    for done in (cli(*option, "check"), cli("check", *option)):
        assert done.code == 1
        assert "w.yaml:1:1: foo: unknown key" in done.out


def test_the_config_may_come_from_the_environment(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_CONFIG", str(write("environment.yaml", "foo: 1")))
    assert "environment.yaml:1:1" in cli("check").out
    assert "option.yaml:1:1" in cli("--config", write("option.yaml", "foo: 1"), "check").out


def test_a_bug_is_reported_by_type_and_place_without_its_text(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "ada@example.com"

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(main, "_commands", lambda: fail)
    done = cli("check")
    assert done.code == 1
    assert "has a bug: RuntimeError" in done.err
    assert "in fail" in done.err
    assert secret not in done.err + done.out


def test_an_error_of_the_system_is_reported_in_one_line(cli: Cli, write: Write) -> None:
    write("file", "")
    done = cli("init", "file/folder")
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(": Not a directory\n")


def test_a_closed_output_pipe_is_no_error() -> None:
    command = f"set -o pipefail; {sys.executable} -m worker schema mapping | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert len(done.stdout) == 10
    assert done.stderr == b""


def test_help_imports_neither_kafka_nor_http_nor_the_schemas() -> None:
    code = (
        "import sys; from worker.cli.main import run; run(['--help']);"
        "print([name for name in ('confluent_kafka', 'aiohttp', 'ruamel.yaml', 'opentelemetry', 'uvloop')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"
