"""The program as a user runs it: in this process, or as a process of its own where that matters."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.program import ROOT, Cli, Finished
from worker.cli.main import run


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on what is set where it runs."""
    for name in list(os.environ):
        if name.startswith(("WORKER_", "PIPELINES_", "KAFKA_")):
            monkeypatch.delenv(name)


@pytest.fixture
def cli(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Runs a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def cli(*arguments: str | Path, stdin: bytes = b"") -> Finished:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Finished(code, captured.out.decode(), captured.err.decode())

    return cli


@pytest.fixture
def program(tmp_path: Path) -> Cli:
    """Runs a command as a process."""

    def program(
        *arguments: str | Path, stdin: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "worker", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **(environ or {})},
            timeout=60,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return program


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file under the folder that commands run in."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def starter(cli: Cli, tmp_path: Path) -> Path:
    """The folder that commands run in, with the starter configuration."""
    assert cli("init").code == 0
    return tmp_path
