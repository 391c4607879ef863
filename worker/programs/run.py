"""The worker: the pipeline with its adapters, signals and exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.writer import DeadLetterTopic, TopicUnknownError
from worker.adapters.http.server import HttpServer, ListenFailed
from worker.adapters.kafka.source import KafkaSource
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.core.message_id import MessageIds
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import SourceFailed
from worker.programs.pages import Pages
from worker.telemetry.logs import configure_logging, log
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from types import FrameType

    from worker.core.records import Converter
    from worker.documents.problems import Problem
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings
    from worker.telemetry.telemetry import Observation

DONE, HALTED = 0, 1

LEAVING_SECONDS = 5.0
"""How long the process may take to close its connections after draining; brokers that do not respond could block it.
Orchestrators kill after a grace period, so `delivery.shutdown_timeout` plus this has to fit into it."""

AT_ONCE_SECONDS = 1.0
"""The same after a second signal, when a user is waiting."""

RETRY_SECONDS = 1.0
"""How long to wait before checking the dead-letter topic again if brokers did not respond."""


class Worker:
    """One worker, with all its parts connected.

    Args:
        settings: worker.yaml.
        mappings: the mapping files.
    """

    def __init__(self, settings: Settings, mappings: Mappings) -> None:
        self._settings = settings
        self._mappings = mappings
        self._ids: MessageIds | None = None
        self._unchecked: str | None = None
        self.telemetry = Telemetry(settings.telemetry)
        self.source = KafkaSource(
            settings.kafka,
            settings.memory,
            mappings.subscriptions,
            self.telemetry,
            before_joining=self._check_dead_letters,
        )
        self.dead_letters = DeadLetterTopic(settings.kafka, self.telemetry)
        self.destination = PipelinesApi(settings.pipelines, self.telemetry)
        self.pipeline = Pipeline(
            self.source,
            self.destination,
            self.dead_letters,
            self._converter,
            settings,
            self.telemetry,
        )
        self.telemetry.observe(self._observation)

    async def run(self, *, until_caught_up: bool = False) -> int:
        """Work until a signal, or until caught up; returns the exit code."""
        self._log_start()
        try:
            finished = await self.pipeline.run(until_caught_up=until_caught_up)
        except SourceFailed as failure:
            log(logging.ERROR, "source_failed", str(failure))
            return HALTED
        self.telemetry.worker_stopped(finished=finished)
        return DONE if finished else HALTED

    def problems(self) -> list[dict[str, str]]:
        """Why the worker is not ready, for `/readyz`."""
        unchecked = f"the dead-letter topic could not be checked yet: {self._unchecked}"
        waiting = [{"reason": "DEAD_LETTERS_REFUSED", "detail": unchecked}] if self._unchecked else []
        joining = [] if self.source.joined else [{"reason": "JOINING", "detail": "not in its group yet"}]
        return [*joining, *waiting, *self.source.problems(), *self.pipeline.problems()]

    async def close(self) -> None:
        """Close the connections and export what is left."""
        await self.destination.close()
        await self.dead_letters.close()
        await asyncio.to_thread(self.telemetry.shutdown)

    async def _check_dead_letters(self) -> None:
        """Check the dead-letter topic, without which nothing may be consumed. Raises `SourceFailed`."""
        problems = await self._dead_letter_problems()
        for problem in problems:
            level = logging.WARNING if problem.warning else logging.ERROR
            log(level, "dead_letter_topic_checked", str(problem))
        if any(not problem.warning for problem in problems):
            raise SourceFailed("the dead-letter topic cannot be used")

    async def _dead_letter_problems(self) -> list[Problem]:
        while True:
            try:
                problems = await self.dead_letters.check(self._mappings.subscriptions)
            except TopicUnknownError as error:
                self._unchecked = str(error)
                self.telemetry.source_failed(self._unchecked.partition(":")[0])
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._unchecked = None
                return problems

    def _log_start(self) -> None:
        for warning in (*self._settings.warnings, *self._mappings.warnings):
            self.telemetry.configuration_warned(str(warning))
        self.telemetry.worker_started(
            group_id=self._settings.kafka.group_id,
            topics=self._mappings.subscriptions,
            url=self._settings.pipelines.base_url,
        )

    async def _converter(self, topic: str) -> Converter:
        """Compile a topic's mapping in a thread: a thousand rules take seconds."""
        ids, on_slow = self._message_ids(), self._notify_slow
        on_no_call = self.telemetry.rules_known(topic, self._mappings.conditional_rules(topic))
        convert = await asyncio.to_thread(self._mappings.converter, topic, ids, on_slow, on_no_call)
        assert convert is not None, "only what the mappings subscribe to is consumed"
        return convert

    def _notify_slow(self, mapper: str, seconds: float) -> None:
        """Log it later: a mapping can be interrupted at any point, and must not hold the log's lock when it is."""
        asyncio.get_running_loop().call_soon(self.telemetry.mapper_was_slow, mapper, seconds)

    def _message_ids(self) -> MessageIds:
        """The message ids of this cluster, whose id is known once the source is open."""
        if self._ids is None:
            self._ids = MessageIds(self.source.cluster_id)
            self.dead_letters.cluster_id = self.source.cluster_id
        return self._ids

    def _observation(self) -> Observation:
        return replace(self.pipeline.observation(), lag=self.source.lags())


async def run_worker(
    settings: Settings, mappings: Mappings, *, until_caught_up: bool = False, alone: bool = False
) -> int:
    """Run a worker with its HTTP endpoints until SIGTERM, SIGINT or, if requested, until it has caught up.

    Args:
        settings: worker.yaml.
        mappings: the mapping files.
        until_caught_up: whether to stop once all records that existed at the start are committed.
        alone: whether this process runs nothing else, so that it may be ended if something hangs after a signal.

    Returns:
        The exit code: 0 for done or drained; 1 for on hold, stopped without draining, or unable to start.
    """
    configure_logging(settings.telemetry, sys.stderr)
    _tune_garbage_collection()
    worker = Worker(settings, mappings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(worker.close)
        try:
            await _serve_pages(worker, settings.http.listen, stack)
        except ListenFailed as failure:
            log(logging.ERROR, "listen_failed", str(failure))
            return HALTED
        working = asyncio.create_task(worker.run(until_caught_up=until_caught_up))
        exit_after = settings.delivery.shutdown_timeout + LEAVING_SECONDS if alone else None
        with drain_on_signals(worker.pipeline, working, exit_after):
            try:
                return await working
            except asyncio.CancelledError:
                log(logging.WARNING, "stopped_at_once", "a second signal: stopped without draining")
                return HALTED


async def _serve_pages(worker: Worker, listen: str | None, stack: AsyncExitStack) -> None:
    """Serve the worker's HTTP endpoints while `stack` is open, unless they are turned off."""
    if listen is None:
        return
    pages = Pages(worker)
    stack.callback(pages.close)
    server = HttpServer(
        listen,
        ready=pages.ready,
        status=pages.status,
        metrics=worker.telemetry.prometheus,
        alive=pages.alive,
    )
    await server.start()
    stack.push_async_callback(server.close)


@contextmanager
def drain_on_signals(
    pipeline: Pipeline, working: asyncio.Task[int], exit_after: float | None = None
) -> Iterator[None]:
    """Drain on the first SIGTERM or SIGINT, and stop immediately on the second.

    A commit without a response from the brokers cannot be cancelled. If `exit_after` is given, the process ends that
    many seconds after the first signal in any case, or `AT_ONCE_SECONDS` after the second. It then also keeps these
    handlers until it ends: the default ones would change its exit code while it closes its connections.
    """
    loop = asyncio.get_running_loop()
    alone = exit_after is not None
    asked = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        again, asked = asked, True
        if exit_after is not None:
            if again and working.done():
                os._exit(HALTED)
            _end_process_in(AT_ONCE_SECONDS if again else exit_after)
        if not loop.is_closed():
            loop.call_soon_threadsafe(react, signal.Signals(number).name, again)

    def react(name: str, again: bool) -> None:  # noqa: FBT001 - called by the loop
        if again:
            working.cancel()
        else:
            pipeline.stop(name)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        if not alone:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_process_in(seconds: float) -> None:
    """End the process after this time unless it has ended by then. Like a crash, this loses no records."""

    def end() -> None:
        log(
            logging.WARNING,
            "left_anyway",
            "closing connections took too long: exited without closing all of them",
        )
        os._exit(HALTED)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _tune_garbage_collection() -> None:
    """Make the cycle collector run rarely: it costs time in proportion to the objects in memory, and finds little.

    Modules and compiled mappings live as long as the process, so they are frozen, which excludes them from collections.
    Records and calls contain no reference cycles; reference counting frees them. With CPython's default threshold of
    700 to 2,000 new objects there would be a collection for every few slices of records, with 50,000 there is one for
    several thousand records. Every 20th of these includes the middle generation, every 100th of those the old one.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
