"""The worker as users run it: a process of its own with its own configuration, watched from outside."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.kafka_client import KafkaClient
from tests.support.ledger import Ledger
from worker.emulator import Emulator

ROOT = Path(__file__).parents[2]

API_KEY = "s3cret-api-key"

PATIENCE_SECONDS = 60.0
"""After so long something that was waited for is taken as never happening, on a busy machine too."""

LOOK_SECONDS = 0.05

MAPPING = """\
topics: {topics}
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
    properties: {{n: n, text: text}}
"""

PROTOCOLS: dict[str, dict[str, Any]] = {
    "classic": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 300},
    "consumer": {"group.protocol": "consumer"},
}
"""Settings of each group protocol that keep rebalances short."""


async def until(condition: Callable[[], Any]) -> None:
    """Look again and again, until something holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(LOOK_SECONDS)


class WorkerProcess:
    """`python -m worker run`, from its start to its end.

    Args:
        folder: where it runs, with its configuration.
        number: of this start in this folder; names its log.
        arguments: of `run`.
        environ: beside the path and the key.
    """

    def __init__(
        self, folder: Path, number: int, arguments: tuple[str, ...], environ: dict[str, str]
    ) -> None:
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._log = folder / f"worker-{number}.log"
        listen = self.url.removeprefix("http://")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run", *arguments],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "PIPELINES_API_KEY": API_KEY,
                    "WORKER__HTTP__LISTEN": listen,
                    **environ,
                },
            )

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log; a line that is not JSON fails the test."""
        return [json.loads(line) for line in self.output.splitlines()]

    def told(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one kind."""
        return [line for line in self.lines if line["event"] == event]

    @property
    def resident_bytes(self) -> int:
        """Its resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal: by default the one that drains."""
        self._process.send_signal(number)

    def limit_descriptors(self, n: int) -> None:
        """Let it open so many files and connections from now on."""
        resource.prlimit(
            self._process.pid, resource.RLIMIT_NOFILE, (n, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        )

    def kill(self) -> None:
        """End it without a word, as a power cut would, and wait until it has gone."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    async def ended(self) -> int:
        """Wait until it ends by itself; returns the exit code."""
        await until(lambda: not self.is_running)
        return self._process.returncode

    async def stop(self) -> int:
        """Have it drain, and wait; returns the exit code."""
        self.signal()
        return await self.ended()

    async def get(self, path: str) -> tuple[int, str]:
        """One of its pages: status and text. Status 0: it does not listen, or not yet."""
        try:
            patience = aiohttp.ClientTimeout(PATIENCE_SECONDS)
            async with aiohttp.request("GET", self.url + path, timeout=patience) as answer:
                return answer.status, await answer.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def status(self) -> dict[str, Any]:
        """What its status page shows."""
        found: dict[str, Any] = json.loads((await self.get("/status.json"))[1])
        return found

    async def consumed(self, n: int) -> None:
        """Wait until it has taken so many records in."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.status())["totals"]["consumed"] < n:  # noqa: ASYNC110 - the same
                await asyncio.sleep(LOOK_SECONDS)

    async def reasons(self) -> list[str] | None:
        """Why it says it is not ready; none: it is. None if it does not listen yet."""
        status, text = await self.get("/readyz")
        if status == 0:
            return None
        found = [each["reason"] for each in json.loads(text)["reasons"]]
        assert (status == 200) is (not found)
        return found

    async def ready(self) -> None:
        """Wait until it is ready."""
        await self.not_ready_for()

    async def not_ready_for(self, *reasons: str, or_for: list[str] | None = None) -> None:
        """Wait until it says just these reasons, or just the other ones; with none, until it is ready."""
        seen = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (seen := await self.reasons()) not in (list(reasons), or_for or list(reasons)):
                    assert self.is_running, f"it ended:\n{self.output[-3000:]}"
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"/readyz said {seen}, never {list(reasons)}") from None


class Site:
    """Where a worker runs: its topics, its group, its API, its configuration; and what is to come of it all.

    Attributes:
        topic: where events are produced; two partitions.
        letters: the dead-letter topic; two partitions.
        settings: of worker.yaml, to be changed before a worker is started.
        mapping: the mapping file, likewise.
        workers: all that were started.
    """

    def __init__(
        self, folder: Path, kafka: KafkaClient, emulator: Emulator, protocol: str = "classic"
    ) -> None:
        self.folder = folder
        self.kafka = kafka
        self.emulator = emulator
        self.group = f"group-{uuid.uuid4().hex[:10]}"
        self.topic = kafka.create_topic(2)
        self.dead_letters = kafka.create_topic(2)
        self.ledger = Ledger(kafka, emulator, self.dead_letters)
        self.mapping = MAPPING.format(topics=json.dumps([self.topic]))
        self.workers: list[WorkerProcess] = []
        self.settings: dict[str, dict[str, Any]] = {
            "kafka": {
                "bootstrap_servers": kafka.servers,
                "group_id": self.group,
                "dead_letter_topic": self.dead_letters,
                "properties": dict(PROTOCOLS[protocol]),
            },
            "pipelines": {"url": emulator.address, "api_key": "${PIPELINES_API_KEY}"},
            "batch": {"linger": "50ms", "max_calls": 50},
            "delivery": {"retry_initial": "50ms", "retry_max": "300ms", "shutdown_timeout": "20s"},
        }

    def change(self, section: str, **values: Any) -> None:
        """Change settings of one section."""
        self.settings.setdefault(section, {}).update(values)

    def change_property(self, name: str, value: Any) -> None:
        """Change a property of the Kafka clients."""
        self.settings["kafka"]["properties"][name] = value

    def start(self, *arguments: str, **environ: str) -> WorkerProcess:
        """Start a worker with the settings and the mapping as they are now."""
        self.configure()
        worker = WorkerProcess(self.folder, len(self.workers), arguments, environ)
        self.workers.append(worker)
        return worker

    def configure(self) -> None:
        """Write the settings and the mapping as they are now."""
        config = self.folder / "config"
        (config / "mappings").mkdir(parents=True, exist_ok=True)
        (config / "worker.yaml").write_text(json.dumps(self.settings))
        (config / "mappings" / "events.yaml").write_text(self.mapping)

    async def started(self) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        worker = self.start()
        await worker.ready()
        return worker

    async def joined(self) -> WorkerProcess:
        """Start a worker and wait until it has partitions."""
        worker = self.start()
        await until(lambda: worker.told("partitions_assigned"))
        return worker

    async def run_job(self, **environ: str) -> int:
        """Run a worker until it has caught up; returns the exit code."""
        return await self.start("--until-caught-up", **environ).ended()

    def produce(self, n: int, people: int = 20, topic: str | None = None) -> None:
        """Produce events of some people to both partitions of a topic."""
        self.ledger.produce(topic or self.topic, n, people, partitions=2)

    def committed(self, topic: str | None = None) -> list[int]:
        """What the group has committed in both partitions; 0 where nothing."""
        return [self.kafka.committed(self.group, (topic or self.topic, each)) or 0 for each in (0, 1)]

    def ends(self, topic: str | None = None) -> list[int]:
        """Where both partitions end."""
        return [self.ledger.end(topic or self.topic, each) for each in (0, 1)]

    async def taken(self, n: int) -> None:
        """Wait until the API has taken so many calls."""
        await until(lambda: self.ledger.taken >= n)

    async def delivered(self) -> None:
        """Wait until the API has taken every event that was produced, and check them against the ledger."""
        await until(self.ledger.is_delivered)
        self.ledger.check()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
