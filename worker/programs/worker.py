"""One worker: the pipeline with its adapters."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.adapters.dead_letter_topic.writer import DeadLetterTopic, TopicUnknownError
from worker.adapters.kafka.source import KafkaSource
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.adapters.schema_registry.client import SchemaRegistryClient
from worker.core.message_id import MessageIds
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import SourceFailed
from worker.pipeline.schema_fetching import SchemaFetcher
from worker.telemetry.logs import log
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from worker.core.records import Converter
    from worker.customerio.notices import Notice
    from worker.documents.problems import Problem
    from worker.mapping.mappings import Mappings
    from worker.programs.child_link import Supervised
    from worker.settings import Settings
    from worker.telemetry.telemetry import Observation

DONE, HALTED = 0, 1

RETRY_SECONDS = 1.0
"""How long to wait before checking the dead-letter topic again if brokers did not respond."""


class Worker:
    """One worker, with all its parts connected.

    Args:
        settings: worker.yaml.
        mappings: the mapping files.
        supervised: which one of several processes this is; None for the only one.
    """

    def __init__(self, settings: Settings, mappings: Mappings, supervised: Supervised | None = None) -> None:
        self._settings = settings
        self._mappings = mappings
        self._ids: MessageIds | None = None
        self._unchecked: str | None = None
        self._notices: Counter[tuple[Notice, str]] = Counter()
        self.telemetry = Telemetry(
            settings.telemetry, process=supervised.process.number if supervised else None
        )
        self.source = KafkaSource(
            settings.kafka,
            settings.memory,
            mappings.subscriptions,
            self.telemetry,
            shares_limit=settings.rate_limit.scope == "group",
            replaces_member=supervised is not None and supervised.restarted,
            before_joining=self._check_dead_letters,
        )
        self.dead_letters = DeadLetterTopic(settings.kafka, self.telemetry)
        self.destination = PipelinesApi(settings.pipelines, self.telemetry)
        self.registry = SchemaRegistryClient(settings.schema_registry) if mappings.needs_registry else None
        self.pipeline = Pipeline(
            self.source,
            self.destination,
            self.dead_letters,
            self._converter,
            settings,
            self.telemetry,
            schemas=None if self.registry is None else self._fetcher(self.registry),
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
        if self.registry is not None:
            await self.registry.close()
        await asyncio.to_thread(self.telemetry.shutdown)

    def _fetcher(self, registry: SchemaRegistryClient) -> SchemaFetcher:
        return SchemaFetcher(registry, self._mappings.schemas, self._mappings.schemas_needed, self.telemetry)

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
        """Compile a topic's mapping in a thread: a thousand rules take a second."""
        ids, on_slow = self._message_ids(), self._notify_slow
        on_no_call = self.telemetry.rules_known(topic, self._mappings.conditional_rules(topic))
        convert = await asyncio.to_thread(
            self._mappings.converter, topic, ids, on_slow, on_no_call, self._note
        )
        assert convert is not None, "only what the mappings subscribe to is consumed"
        return convert

    def _notify_slow(self, mapper: str, seconds: float) -> None:
        """Log it later: a mapping can be interrupted at any point, and must not hold the log's lock when it is."""
        asyncio.get_running_loop().call_soon(self.telemetry.mapper_was_slow, mapper, seconds)

    def _note(self, kind: Notice, rule: str) -> None:
        """Count it, to be reported once the slice is mapped: a slice may have many, and can be interrupted."""
        if not self._notices:
            asyncio.get_running_loop().call_soon(self._report_notices)
        self._notices[kind, rule] += 1

    def _report_notices(self) -> None:
        noted, self._notices = self._notices, Counter()
        for (kind, rule), n in noted.items():
            self.telemetry.calls_noticed(kind, rule, n)

    def _message_ids(self) -> MessageIds:
        """The message ids of this cluster, whose id is known once the source is open."""
        if self._ids is None:
            self._ids = MessageIds(self.source.cluster_id)
            self.dead_letters.cluster_id = self.source.cluster_id
        return self._ids

    def _observation(self) -> Observation:
        return replace(self.pipeline.observation(), lag=self.source.lags())
