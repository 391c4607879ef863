"""A real schema registry: Apicurio Registry in memory, from Maven, which also has the Confluent API."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from tests.support.kafka_cluster import ROOT, free_ports

VERSION = "2.6.13.Final"
"""The last line that runs on Java 17."""

ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
CACHE = ROOT / ".cache" / "registry"
BOOT_SECONDS = 120


def unpacked() -> Path:
    """The folder of the registry's program; fetched by Maven once, by one process at a time."""
    folder = CACHE / VERSION
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    goal = ["dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={partial}"]
    subprocess.run(["mvn", "-q", "-B", *goal], check=True)
    (archive,) = partial.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(partial)], check=True)
    archive.unlink()
    partial.rename(folder)


class Registry:
    """One registry, started by `start` or by `with`. It forgets everything when it is stopped.

    Attributes:
        base: its address.
        url: of its Confluent API.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self._log = directory / "registry.log"
        self._port = free_ports(1)[0] if port is None else port
        self._process: subprocess.Popen[bytes] | None = None
        self.base = f"http://127.0.0.1:{self._port}"
        self.url = f"{self.base}/apis/ccompat/v7"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folder = unpacked()
        (runner,) = folder.rglob("*-runner.jar")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "java",
                    "-Xmx384m",
                    "-XX:+UseSerialGC",
                    "-XX:TieredStopAtLevel=1",
                    f"-Dquarkus.http.port={self._port}",
                    "-Dquarkus.http.host=127.0.0.1",
                    "-jar",
                    str(runner),
                ],
                cwd=runner.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Make it answer nothing until `resume`: connections are accepted by the system and then hang."""
        assert self._process is not None, "it was started"
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End `pause`."""
        assert self._process is not None, "it was started"
        os.kill(self._process.pid, signal.SIGCONT)

    def _wait(self) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/subjects", timeout=5) as response:
                    if response.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise AssertionError(f"the registry did not start:\n{self._log.read_text()[-2000:]}")
