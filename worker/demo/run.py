"""The demo: Kafka, the emulator, events and the worker in one process."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from worker.adapters.kafka.clients import make_consumer
from worker.demo.cluster import EmbeddedCluster
from worker.demo.configuration import demo_folder, write_configuration
from worker.demo.events import Sample
from worker.demo.next_steps import NextSteps, next_steps
from worker.demo.scenario import TRICKLE_SECONDS, Scenario
from worker.demo.sending import send
from worker.demo.sources import Sources
from worker.demo.summary import Expected, Observed, differences, tables
from worker.emulator import Emulator, Fault
from worker.programs import run as app
from worker.programs.configuration import load_configuration
from worker.settings import Settings

EMULATOR_PORT = 8090
WORKER_PORT = 8080
REGISTRY_PORT = 8081

_PORTIONS = 40
"""The samples are produced in this many portions, so that the progress bars move."""

_PORTION_SECONDS = 0.08
_POLL_SECONDS = 0.15
_TIMEOUT_SECONDS = 120.0


async def run_demo(scenario: Scenario, *, exit_at_end: bool, on_ready: Callable[[NextSteps], None]) -> int:
    """Run a demo.

    Args:
        scenario: what to run.
        exit_at_end: end after the summary; otherwise go on with a trickle of events until SIGINT or SIGTERM.
        on_ready: called after the summary with what to try next, unless the demo ends.

    Returns:
        The exit code: 0 if all totals are as expected.
    """
    console = Console(stderr=True)
    with EmbeddedCluster() as cluster, demo_folder() as folder:
        async with _emulator(scenario.faults) as emulator, _registry(scenario) as registry:
            config = write_configuration(
                folder,
                scenario,
                brokers=cluster.bootstrap_servers,
                emulator=emulator.address,
                listen=f"127.0.0.1:{_free_port(WORKER_PORT)}",
                registry=registry,
            )
            settings, mappings = load_configuration(config, {}, needs_key=True)
            emulator.source_of = Sources(settings, mappings, scenario.topics).find
            for topic in (*scenario.topics, settings.kafka.dead_letter_topic):
                cluster.create_topic(topic)
            _print_addresses(console, emulator, settings)
            if registry is not None:
                console.print(f"[bold]{registry}/subjects[/]  the schema registry\n")
            worker_task = asyncio.create_task(app.run_worker(settings, mappings))
            try:
                observed = await _watch(console, worker_task, cluster, settings, scenario.samples)
            except DemoError as failure:
                console.print(f"[bold red]{failure}[/]")
                worker_task.cancel()
                await asyncio.wait([worker_task])
                return 1
            observed.emulator = emulator.summary
            expected = Expected.of(scenario.samples, same_bytes=scenario.same_bytes)
            Console().print(tables(expected, observed))
            if exit_at_end:
                signal.raise_signal(signal.SIGTERM)  # the worker drains, as it does for an operator
                await worker_task
            else:
                on_ready(next_steps(cluster.bootstrap_servers, config, scenario.samples, observed.places))
                await _go_on(worker_task, cluster.producer, scenario.more())
    return 1 if differences(expected, observed) else 0


async def _go_on(worker_task: asyncio.Task[int], producer: Producer, more: Iterator[Sample]) -> None:
    """Produce one event after the other until the worker ends."""
    for sample in more:
        send(producer, sample, lambda _error, _message: None)
        producer.poll(0)
        await asyncio.wait([worker_task], timeout=TRICKLE_SECONDS)
        if worker_task.done():
            break
    await worker_task


class DemoError(Exception):
    """The demo could not be completed; the message says why."""


@asynccontextmanager
async def _emulator(faults: Sequence[Fault]) -> AsyncIterator[Emulator]:
    """An emulator with the latency of a network, on its default port if that is free."""
    emulator = Emulator(latency=0.02)
    await emulator.start(port=_free_port(EMULATOR_PORT))
    for fault in faults:
        emulator.faults.add(fault)
    try:
        yield emulator
    finally:
        await emulator.stop()


@asynccontextmanager
async def _registry(scenario: Scenario) -> AsyncIterator[str | None]:
    """The address of the demo's schema registry; None without one."""
    if scenario.registry is None:
        yield None
        return
    await scenario.registry.start(_free_port(REGISTRY_PORT))
    try:
        yield scenario.registry.address
    finally:
        await scenario.registry.stop()


def _free_port(wanted: int) -> int:
    """The default port, or any free one if it is in use."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def _print_addresses(console: Console, emulator: Emulator, settings: Settings) -> None:
    console.print(f"\n[bold]{emulator.address}[/]  the emulator: received calls by person")
    console.print(f"[bold]http://{settings.http.listen}[/]  the worker's status page\n")


async def _watch(
    console: Console,
    worker_task: asyncio.Task[int],
    cluster: EmbeddedCluster,
    settings: Settings,
    samples: Sequence[Sample],
) -> Observed:
    """Produce the samples and show the progress, until the worker has finished all of them."""
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        produced, finished = (
            progress.add_task(name, total=len(samples)) for name in ("produced", "finished")
        )
        producing = asyncio.create_task(_produce(cluster, samples, partial(progress.advance, produced)))
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                update = partial(progress.update, finished)
                status = await _wait_until_finished(
                    worker_task, settings, len(samples), lambda count: update(completed=count)
                )
                places = await producing
        except TimeoutError:
            raise DemoError(f"The worker did not finish within {_TIMEOUT_SECONDS:.0f} seconds.") from None
        finally:
            producing.cancel()
    dead_letter_records = await asyncio.to_thread(_count, cluster, settings.kafka.dead_letter_topic)
    return Observed(status["totals"], dead_letter_records, time.monotonic() - started, places=places)


async def _produce(
    cluster: EmbeddedCluster,
    samples: Sequence[Sample],
    on_progress: Callable[[int], object],
) -> dict[str, str]:
    """Produce the samples in portions; returns `Observed.places`."""
    refused: list[str] = []
    places: dict[str, str] = {}

    def acknowledged(error: KafkaError | None, message: Message) -> None:
        topic = str(message.topic())
        if error:
            refused.append(str(error))
        else:
            places.setdefault(topic, f"{topic}:{message.partition()}:{message.offset()}")

    size = -(-len(samples) // _PORTIONS)
    for first in range(0, len(samples), size):
        portion = samples[first : first + size]
        for sample in portion:
            send(cluster.producer, sample, acknowledged)
        await asyncio.to_thread(cluster.producer.flush)
        if refused:
            raise DemoError(f"The embedded cluster refused a record: {refused[0]}")
        on_progress(len(portion))
        await asyncio.sleep(_PORTION_SECONDS)
    return places


async def _wait_until_finished(
    worker_task: asyncio.Task[int], settings: Settings, records: int, on_progress: Callable[[int], object]
) -> dict[str, Any]:
    """Poll the worker's status until it has finished this many records; returns that status."""
    async with aiohttp.ClientSession() as session:
        while not worker_task.done():
            status = await _status(session, settings)
            done = status["totals"]["consumed"] - status["in_progress"]["records"] if status else 0
            on_progress(done)
            if status and done >= records:
                return status
            await asyncio.sleep(_POLL_SECONDS)
    raise DemoError(f"The worker exited early with code {worker_task.result()}.")


async def _status(session: aiohttp.ClientSession, settings: Settings) -> dict[str, Any] | None:
    """The worker's `/status.json`; None while the worker is starting."""
    try:
        async with session.get(f"http://{settings.http.listen}/status.json") as response:
            status: dict[str, Any] = await response.json()
            return status
    except aiohttp.ClientConnectionError:
        return None


def _count(cluster: EmbeddedCluster, topic: str) -> int:
    """The number of records in a topic."""
    consumer = make_consumer({"bootstrap.servers": cluster.bootstrap_servers, "group.id": "demo-counts"})
    try:
        watermarks = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
            for number in range(cluster.create_topic(topic))
        ]
    finally:
        consumer.close()
    return sum(high - low for low, high in watermarks)
