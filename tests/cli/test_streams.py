"""The exit code reflects the work, whether or not the output can be written; signals are caught from the beginning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.program import ROOT

Write = Callable[[str, str], Path]

BROKEN = {
    "output closed": ">&-",
    "error closed": "2>&-",
    "everything closed": "<&- >&- 2>&-",
    "output full": ">/dev/full",
    "error full": "2>/dev/full",
    "both full": ">/dev/full 2>/dev/full",
}
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
MAPPING = "topics: [orders]\nrules:\n  - {call: track, event: Ordered, userId: id}\n"


@pytest.fixture
def folder(write: Write, tmp_path: Path) -> Path:
    write("config/worker.yaml", "kafka: {group_id: g}\n")
    write("config/mappings/orders.yaml", MAPPING)
    return tmp_path


def run(
    folder: Path, arguments: str, streams: str, stdout: int | None = None, stderr: int | None = None
) -> int:
    command = f"exec {sys.executable} -m worker {arguments} {streams}"
    done = subprocess.run(
        command, shell=True, cwd=folder, env=ENVIRONMENT, check=False, stdout=stdout, stderr=stderr
    )
    return done.returncode


@pytest.mark.parametrize("streams", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("check", 0),
        ("check --config nowhere.yaml", 1),
        ("schema worker", 0),
        ("map good.jsonl", 0),
        ("map bad.jsonl", 1),
        ("run", 2),
    ],
)
def test_the_exit_code_does_not_depend_on_the_streams(
    folder: Path, arguments: str, code: int, streams: str
) -> None:
    (folder / "good.jsonl").write_text('{"id": "p-1"}\n' * 3)
    (folder / "bad.jsonl").write_text("{}\n")
    assert run(folder, arguments, streams) == code


@pytest.mark.parametrize("arguments", ["check", "schema worker", "map good.jsonl"])
def test_a_closed_output_pipe_does_not_change_the_exit_code(folder: Path, arguments: str) -> None:
    (folder / "good.jsonl").write_text('{"id": "p-1"}\n' * 3)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(folder, arguments, "", stdout=writing, stderr=writing) == 0
    finally:
        os.close(writing)


def test_endless_input_ends_when_the_output_pipe_closes(folder: Path) -> None:
    command = f'yes \'{{"id": "p-1"}}\' | {sys.executable} -m worker map | head -n 1'
    done = subprocess.run(
        command, shell=True, cwd=folder, env=ENVIRONMENT, check=False, capture_output=True, timeout=60
    )
    assert b"Ordered" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [
        ("run", signal.SIGTERM, 0),
        ("run", signal.SIGINT, 0),
        ("check", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_signal_during_the_imports_ends_the_program(
    command: str, number: signal.Signals, code: int, tmp_path: Path
) -> None:
    script = (
        "import os, sys\n"
        "from worker.__main__ import main\n"
        "class OnImport:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith('worker.cli') or name == 'typer':\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, OnImport())\n"
        f"sys.argv = ['worker', {command!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=ENVIRONMENT, cwd=tmp_path, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (code, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_python_exits_does_not_change_the_exit_code_of_run(number: signal.Signals) -> None:
    script = (
        "import os, sys\n"
        "from worker.__main__ import main\n"
        "class Late:\n"
        "    def __del__(self, kill=os.kill, pid=os.getpid()):\n"
        f"        kill(pid, {int(number)})\n"
        "sys.argv = ['worker', 'run', '--help']\n"
        "late = Late()\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
