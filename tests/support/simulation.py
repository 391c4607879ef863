"""A whole small world on virtual time: a broker, an API, a dead-letter topic, and workers between them.

What is promised in docs/guarantees.md is checked while it runs: at each fetch, each request and each commit.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tests.support.lane_model import queued_calls
from tests.support.memory_dead_letters import MemoryDeadLetters
from tests.support.memory_source import EARLIEST_MS, MemoryBroker, MemoryRecord, MemorySource
from tests.support.recorded_telemetry import RecordedTelemetry
from tests.support.scripted_api import Account, Reply, Script, ScriptedApi, ordering_of
from worker.core.reasons import Rejected, Stage
from worker.core.records import Converter, EncodedCall, Partition, QueuedCall, Record
from worker.dead_letters.failed_record import FailedRecord
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import Fetched
from worker.pipeline.schema_fetching import SchemaFetcher
from worker.settings import Settings

TOPIC = "orders"

CALM: dict[str, dict[str, Any]] = {
    "batch": {"max_bytes": 2000, "max_call_bytes": 1000, "max_calls": 20, "linger": "100ms"},
    "rate_limit": {"requests": 1000, "per": "1s"},
    "delivery": {"max_requests_in_flight": 4, "retry_max": "5s", "give_up_alone_after": "60s"},
    "dead_letters": {"halt_after_consecutive": 1_000_000, "halt_above_ratio": 1.0, "window": 1_000_000},
    "memory": {"max_records_in_progress": 1000},
}
"""Settings under which much happens in little time, and nothing stops by itself."""


class Key(bytes):
    """A key with the same hash in every process, unlike Python's own bytes: batches may be chosen by it."""

    def __hash__(self) -> int:
        return zlib.crc32(self)


class WatchedSource(MemorySource):
    """A member that never runs too far ahead of what it has committed."""

    max_records_in_progress = 0
    ahead = 0

    async def fetch(self, limit: int) -> Fetched:
        fetched = await super().fetch(limit)
        self.ahead = sum(self._ahead(partition) for partition in self.positions)
        assert self.ahead <= self.max_records_in_progress
        return fetched

    def _ahead(self, partition: Partition) -> int:
        committed = self.broker.committed.get(partition, 0)
        log = self.broker.logs[partition]
        return sum(committed <= record.at < self.positions[partition] for record in log.records)


class Member:
    """One worker of the group."""

    def __init__(self, world: World, settings: Settings, seed: int) -> None:
        self._world = world
        self.settings = settings
        self.telemetry = RecordedTelemetry()
        self.source = WatchedSource(world.broker, [TOPIC])
        self.source.max_records_in_progress = settings.memory.max_records_in_progress
        self.api = ScriptedApi(world.account, settings.pipelines.timeout)
        self.dead_letters = world.dead_letters
        loop = asyncio.get_running_loop()
        self.pipeline = Pipeline(
            self.source,
            self.api,
            self.dead_letters,
            self._converter,
            settings,
            self.telemetry,  # type: ignore[arg-type] # takes every verb
            schemas=world.schemas_of(self),
            rng=random.Random(seed).random,
            clock=lambda: EARLIEST_MS / 1000 + loop.time(),
            stopwatch=loop.time,
        )
        self._running: asyncio.Task[bool] | None = None

    async def _converter(self, _topic: str) -> Converter:
        return self._world.convert

    def start(self, *, until_caught_up: bool = False) -> None:
        """Begin to work."""
        self._running = asyncio.create_task(self.pipeline.run(until_caught_up=until_caught_up))
        self._running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[bool]) -> None:
        if not running.cancelled() and (fault := running.exception()):
            self._world.faulted(fault)

    @property
    def is_running(self) -> bool:
        """Whether it works."""
        return self._running is not None and not self._running.done()

    async def finished(self) -> bool:
        """The result of `run`."""
        assert self._running
        return await self._running

    async def stop(self) -> bool:
        """Drain, as SIGTERM does."""
        self.pipeline.stop("SIGTERM")
        return await self.finished()

    async def stop_at_once(self) -> None:
        """As a second SIGTERM does."""
        assert self._running
        self._running.cancel()
        await asyncio.wait([self._running])


class World:
    """A broker with one topic, an API, a dead-letter topic.

    Args:
        partitions: of the topic.
        settings: what differs from `CALM`, section by section.

    Attributes:
        may_give_up: whether good calls may become dead letters.
    """

    def __init__(self, partitions: int = 1, **settings: Mapping[str, Any]) -> None:
        sections = {name: {**CALM.get(name, {}), **settings.get(name, {})} for name in CALM | settings}
        self.settings = Settings.model_validate(sections)
        self.broker = MemoryBroker({TOPIC: partitions})
        self.broker.on_commit = self._committed
        self.dead_letters = MemoryDeadLetters()
        batch = self.settings.batch
        self.account = Account(batch.max_bytes, batch.max_calls)
        self.members: list[Member] = []
        self.may_give_up = False
        self._changed = asyncio.Event()
        self._fault: BaseException | None = None

    # The world's doings

    def add(
        self,
        key: str | None = "k",
        *,
        partition: int = 0,
        calls: int = 1,
        reject: bool = False,
        **call: Any,
    ) -> int:
        """Append a record that becomes this many equal calls, or these `calls`; returns its offset."""
        return self.add_calls(key, [call] * calls, partition=partition, reject=reject)

    def add_calls(
        self, key: str | None, calls: list[dict[str, Any]], *, partition: int = 0, reject: bool = False
    ) -> int:
        """Append a record that becomes these calls."""
        value = orjson.dumps({"calls": calls, "reject": reject})
        return self.broker.append(
            TOPIC, partition, key=None if key is None else Key(key.encode()), value=value
        )

    def member(self, script: Script | None = None, *, until_caught_up: bool = False) -> Member:
        """Start one more worker."""
        member = Member(self, self.settings, seed=len(self.members))
        if script is not None:
            member.api.script = script
        self.members.append(member)
        member.start(until_caught_up=until_caught_up)
        return member

    def schemas_of(self, _member: Member) -> SchemaFetcher | None:
        """What fetches schemas for a member's records; None where they need none."""
        return None

    def convert(
        self, records: Sequence[Record], calls: list[QueuedCall], rejected: list[tuple[Record, Rejected]]
    ) -> int:
        """The simplest mapping: each record says what it becomes."""
        ignored = 0
        for record in records:
            encoded = _encode(record)
            for index, (body, envelope) in enumerate(encoded):
                self.account.encoded(_call_id(record, index), body, envelope)
            if orjson.loads(record.value() or b"")["reject"]:
                rejected.append((record, Rejected(Stage.MAP, "MAPPER_REJECTED", "as the test wants it")))
            else:
                calls += queued_calls(record, encoded)
                ignored += not encoded
        return ignored

    # What must hold

    async def settled(self, within: float = 3600.0) -> None:
        """Wait until everything is committed, and check that it is all done."""
        async with asyncio.timeout(within):
            while any(self.broker.committed.get(each) != log.end for each, log in self.broker.logs.items()):
                self.check()
                await self._changed.wait()
        self.check()

    async def until_committed_all(self, within: float = 3600.0) -> None:
        """Wait until what there is now is committed, whatever else may come."""
        async with asyncio.timeout(within):
            for (_, number), end in [(each, log.end) for each, log in self.broker.logs.items()]:
                await self.until_committed(end, number)

    async def until_committed(self, offset: int, partition: int = 0, within: float = 3600.0) -> None:
        """Wait until an offset is committed."""
        async with asyncio.timeout(within):
            while self.broker.committed.get((TOPIC, partition), 0) < offset:
                self.check()
                await self._changed.wait()

    def faulted(self, fault: BaseException) -> None:
        """A member ended with an exception, perhaps because one of our checks did not hold."""
        self._fault = self._fault or fault
        self._announce()

    def check(self) -> None:
        """What must hold at any time."""
        if self._fault:
            raise self._fault
        self.check_order()
        for member in self.members:
            if self.settings.rate_limit.scope == "process":
                self._check_rate(self.account.arrivals(member.api))
        if self.settings.rate_limit.scope == "group":
            self._check_rate(
                sorted(each for member in self.members for each in self.account.arrivals(member.api))
            )

    def _check_rate(self, arrivals: list[float]) -> None:
        limit = self.settings.rate_limit
        for first, later in zip(arrivals, arrivals[limit.requests :], strict=False):
            assert later - first >= limit.per - 1e-9, "over the rate limit"

    def check_order(self) -> None:
        """First deliveries are in order for each key and partition, and for each record without a key."""
        latest: dict[tuple[Any, ...], tuple[int, int]] = {}
        for call_id in self.account.delivered:
            order = ordering_of(self.account.calls[call_id])
            offset, index = (int(part) for part in call_id.split("/")[2:])
            assert latest.get(order, (-1, -1)) < (offset, index), f"{call_id} was overtaken"
            latest[order] = offset, index

    def dead(self) -> list[tuple[int, int]]:
        """Partition and offset of each dead letter."""
        return [(each.record.partition(), each.record.offset()) for each in self.dead_letters.written]

    def delivered(self) -> list[str]:
        """What was delivered, as `partition/offset/index`, in the order of first deliveries."""
        return [each.partition("/")[2] for each in self.account.delivered]

    def _committed(self, offsets: Mapping[Partition, int]) -> None:
        dead = set(self.dead())
        for partition, offset in offsets.items():
            for record in self.broker.logs[partition].records:
                if record.at < offset:
                    self._check_done(record, dead)
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _check_done(self, record: MemoryRecord, dead: set[tuple[int, int]]) -> None:
        event = orjson.loads(record.value() or b"")
        is_dead = (record.partition(), record.offset()) in dead
        if event["reject"]:
            assert is_dead, "committed past a rejected record without a letter"
            return
        assert is_dead or not any(call.get("poison") for call in event["calls"])
        good = not any(call.get("poison") for call in event["calls"])
        assert self.may_give_up or not (is_dead and good), (
            f"no fault of its own: {self._dead_letters_of(record)}"
        )
        for index, call in enumerate(event["calls"]):
            delivered = self.account.times[_call_id(record, index)]
            assert delivered or call.get("poison") or (self.may_give_up and is_dead), "lost"

    def _dead_letters_of(self, record: MemoryRecord) -> list[FailedRecord]:
        return [each for each in self.dead_letters.written if each.record == record]


def _call_id(record: Record, index: int) -> str:
    return f"{record.topic()}/{record.partition()}/{record.offset()}/{index}"


def _encode(record: Record) -> list[EncodedCall]:
    key = record.key()
    encoded = []
    for index, call in enumerate(orjson.loads(record.value() or b"")["calls"]):
        context = call.get("context")
        body = {"messageId": _call_id(record, index), "key": key.decode() if key is not None else None}
        envelope = b'"context":' + orjson.dumps(context) if context is not None else b""
        encoded.append((orjson.dumps(body | call), envelope))
    return encoded


def always(status: int, **more: Any) -> Script:
    """A script that gives every request the same reply."""
    return lambda _: Reply(status, **more)


def in_turn(*replies: Reply) -> Script:
    """A script that gives these replies, then good ones."""
    left = list(replies)
    return lambda _: left.pop(0) if left else Reply()


def until(seconds: float, reply: Reply) -> Script:
    """A script that gives this reply until a point in time, then good ones."""
    return lambda request: reply if request.sent_at < seconds else Reply()


async def at(seconds: float) -> None:
    """Virtual time goes on up to here."""
    await asyncio.sleep(seconds - asyncio.get_running_loop().time())
