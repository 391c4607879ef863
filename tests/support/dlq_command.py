"""The `dlq` commands as users run them: processes of their own, at a site."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from tests.support.program import ROOT, Finished
from tests.support.worker_process import API_KEY, Site
from worker.cli.main import run


class Dlq:
    """Runs `dlq` with a site's settings and mapping as they are at that moment.

    Attributes:
        said: everything that was printed so far.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.said = ""

    def start(self, *arguments: str, key: str | None = API_KEY) -> subprocess.Popen[bytes]:
        """Start a command."""
        self._site.configure()
        return subprocess.Popen(
            [sys.executable, "-m", "worker", "dlq", *arguments],
            cwd=self._site.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                **({"PIPELINES_API_KEY": key} if key else {}),
            },
        )

    async def __call__(self, *arguments: str, key: str | None = API_KEY) -> Finished:
        """Run a command to its end."""
        if arguments[0] not in {"replay", "resolve"} or "--dry-run" in arguments:
            return await asyncio.to_thread(self._look, *arguments)
        process = self.start(*arguments, key=key)
        out, err = await asyncio.to_thread(process.communicate)
        self.said += out.decode() + err.decode()
        return Finished(process.returncode, out.decode(), err.decode())

    def _look(self, *arguments: str) -> Finished:
        return self.look("dlq", *arguments)

    def look(self, *arguments: str) -> Finished:
        """Run any command that changes nothing, and does not need a key, in this process."""
        self._site.configure()
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        with contextlib.chdir(self._site.folder), redirect_stdout(out), redirect_stderr(err):
            code = run(list(arguments))
        found = []
        for stream in (out, err):
            stream.flush()
            found.append(stream.buffer.getvalue().decode())
        self.said += "".join(found)
        return Finished(code, *found)

    async def listed(self, *arguments: str) -> dict[str, Any]:
        """What `dlq list` says."""
        done = await self("list", "--json", *arguments)
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    async def waiting(self, *arguments: str) -> dict[str, int]:
        """How many letters wait, by reason."""
        counts: dict[str, int] = {}
        for group in (await self.listed(*arguments))["groups"]:
            counts[group["reason"]] = counts.get(group["reason"], 0) + group["count"]
        return counts

    async def replayed(self, *arguments: str) -> tuple[int, dict[str, int]]:
        """The exit code of `dlq replay`, and its table: how many letters, by what happened to them."""
        done = await self("replay", *arguments)
        rows = [line.split(maxsplit=1) for line in done.out.splitlines()[1:]]
        assert done.out, done.err
        return done.code, {name: int(n.replace(",", "")) for n, name in rows}


def connect_headers(topic: str, partition: int, offset: int, **more: str) -> list[tuple[str, bytes | None]]:
    """What Kafka Connect writes on a dead letter, with `errors.deadletterqueue.context.headers.enable`."""
    facts = {
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "connector.name": "sink",
        "task.id": "0",
        "stage": "VALUE_CONVERTER",
        "class.name": "org.apache.kafka.connect.json.JsonConverter",
        "exception.class.name": "org.apache.kafka.connect.errors.DataException",
        "exception.message": "Converting byte[] to Kafka Connect data failed",
        "exception.stacktrace": "org.apache.kafka.connect.errors.DataException: ...",
        **more,
    }
    return [(f"__connect.errors.{name}", value.encode()) for name, value in facts.items()]
