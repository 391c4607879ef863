"""The demo: Kafka, the emulator, sample events and the worker in one process. It reads as a story."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
from confluent_kafka import TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from worker.adapters.kafka.clients import make_consumer
from worker.demo.cluster import EmbeddedCluster
from worker.demo.events import TOPICS, Sample, sample_events
from worker.demo.sending import send
from worker.demo.summary import Expected, Found, differences, tables
from worker.emulator import Emulator, Fault
from worker.mapping.mappings import Mappings
from worker.programs import run as app
from worker.programs.starter import starter_folder
from worker.settings import Settings, load_settings

EMULATOR_PORT = 8090
WORKER_PORT = 8080

_PIECES = 40
"""In so many pieces the samples are produced, so that there is something to watch."""

_PIECE_SECONDS = 0.08
_LOOK_SECONDS = 0.15
_PATIENCE_SECONDS = 120.0

_TROUBLE = (
    Fault(status=503, every=7, times=4),
    Fault(status=429, retry_after=1, every=23),
    Fault(reset=True, after=True, every=13, times=2),
)
"""What goes wrong on purpose: an API in trouble, one that asks for patience, answers that get lost."""


async def run_demo(*, exit_at_end: bool, events: int = 4_000) -> int:
    """Show everything on one machine.

    Args:
        exit_at_end: end after the summary; else serve the pages until SIGINT or SIGTERM.
        events: how many sample events there are.

    Returns:
        The exit code: 0 if everything adds up.
    """
    people = Console(stderr=True)
    samples = list(sample_events(events, until=datetime.now(UTC)))
    with EmbeddedCluster() as cluster:
        async with _emulator() as emulator:
            settings, mappings = _configured(cluster, emulator)
            for topic in (*TOPICS, settings.kafka.dead_letter_topic):
                cluster.create_topic(topic)
            _say_where(people, emulator, settings)
            working = asyncio.create_task(app.run_worker(settings, mappings))
            try:
                found = await _watch(people, working, cluster, settings, samples)
            except DemoFailed as failure:
                people.print(f"[bold red]{failure}[/]")
                working.cancel()
                await asyncio.wait([working])
                return 1
            found.emulator = emulator.summary
            expected = Expected.of(samples)
            Console().print(tables(expected, found))
            if exit_at_end:
                signal.raise_signal(signal.SIGTERM)  # the worker drains, as it does for an operator
            else:
                people.print("\nThe pages stay until Ctrl-C.")
            await working
    return 1 if differences(expected, found) else 0


class DemoFailed(Exception):  # noqa: N818 - says what happened
    """The demo could not be shown to its end, and why."""


@asynccontextmanager
async def _emulator() -> AsyncIterator[Emulator]:
    """An emulator with a network's latency, on its usual port if that is free."""
    emulator = Emulator(latency=0.02)
    await emulator.start(port=_free_port(EMULATOR_PORT))
    for fault in _TROUBLE:
        emulator.faults.add(fault)
    try:
        yield emulator
    finally:
        await emulator.stop()


def _configured(cluster: EmbeddedCluster, emulator: Emulator) -> tuple[Settings, Mappings]:
    """The packaged example, pointed at the cluster and the emulator; the environment has no say."""
    environment = {
        "PIPELINES_API_KEY": "demo",
        "WORKER__KAFKA__BOOTSTRAP_SERVERS": cluster.bootstrap_servers,
        # The embedded cluster answers a member of this kind at once.
        "WORKER__KAFKA__PROPERTIES": '{"group.protocol": "consumer"}',
        "WORKER__PIPELINES__URL": emulator.address,
        "WORKER__HTTP__LISTEN": f"127.0.0.1:{_free_port(WORKER_PORT)}",
        "WORKER__TELEMETRY__LOG_LEVEL": "error",
    }
    settings = load_settings(starter_folder() / "worker.yaml", environment, needs_key=True)
    mappings = Mappings.load(
        settings.mappings,
        mapper_path=settings.mapper_path,
        base=settings.base,
        dead_letter_topic=settings.kafka.dead_letter_topic,
        max_call_bytes=settings.batch.max_call_bytes,
        envelopes=settings.batch.context == "partition",
    )
    return settings, mappings


def _free_port(wanted: int) -> int:
    """The usual port, or any other if somebody has it."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def _say_where(people: Console, emulator: Emulator, settings: Settings) -> None:
    people.print(f"\n[bold]{emulator.address}[/]  what arrives at Customer.io's stand-in, by person")
    people.print(f"[bold]http://{settings.http.listen}[/]  how the worker is doing\n")


async def _watch(
    people: Console,
    working: asyncio.Task[int],
    cluster: EmbeddedCluster,
    settings: Settings,
    samples: Sequence[Sample],
) -> Found:
    """Produce the samples, show how the worker gets on with them, and return when it has finished all."""
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=people) as progress:
        produced, finished = (
            progress.add_task(name, total=len(samples)) for name in ("produced", "finished")
        )
        producing = asyncio.create_task(_produce(cluster, samples, partial(progress.advance, produced)))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                tell = partial(progress.update, finished)
                status = await _finished(working, settings, len(samples), lambda count: tell(completed=count))
                await producing
        except TimeoutError:
            raise DemoFailed(f"The worker did not finish within {_PATIENCE_SECONDS:.0f} seconds.") from None
        finally:
            producing.cancel()
    letters = await asyncio.to_thread(_count, cluster, settings.kafka.dead_letter_topic)
    return Found(status["totals"], letters, time.monotonic() - started)


async def _produce(
    cluster: EmbeddedCluster, samples: Sequence[Sample], tell: Callable[[int], object]
) -> None:
    """Append the samples, piece by piece."""
    refused: list[str] = []
    size = -(-len(samples) // _PIECES)
    for first in range(0, len(samples), size):
        piece = samples[first : first + size]
        for sample in piece:
            send(cluster.producer, sample, lambda error, _: refused.append(str(error)) if error else None)
        await asyncio.to_thread(cluster.producer.flush)
        if refused:
            raise DemoFailed(f"The embedded cluster refused a record: {refused[0]}")
        tell(len(piece))
        await asyncio.sleep(_PIECE_SECONDS)


async def _finished(
    working: asyncio.Task[int], settings: Settings, records: int, tell: Callable[[int], object]
) -> dict[str, Any]:
    """Look at the worker's own page until it has finished so many records; answers what the page says then."""
    async with aiohttp.ClientSession() as session:
        while not working.done():
            status = await _status(session, settings)
            done = status["totals"]["consumed"] - status["in_progress"]["records"] if status else 0
            tell(done)
            if status and done >= records:
                return status
            await asyncio.sleep(_LOOK_SECONDS)
    raise DemoFailed(f"The worker ended early, with exit code {working.result()}.")


async def _status(session: aiohttp.ClientSession, settings: Settings) -> dict[str, Any] | None:
    """What the worker's page says; None while it is not there yet."""
    try:
        async with session.get(f"http://{settings.http.listen}/status.json") as response:
            said: dict[str, Any] = await response.json()
            return said
    except aiohttp.ClientConnectionError:
        return None


def _count(cluster: EmbeddedCluster, topic: str) -> int:
    """How many records a topic holds."""
    consumer = make_consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": "demo-counts"})
    try:
        marks = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            for number in range(cluster.create_topic(topic))
        ]
    finally:
        consumer.close()
    return sum(high - low for low, high in marks)
