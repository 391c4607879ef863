"""Records that need a schema from a registry: what waits, what goes on meanwhile, and how it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import cast

import orjson
import pytest

from tests.support.scripted_api import Reply
from tests.support.simulation import Member, World, at
from worker.core.reasons import Rejected
from worker.core.records import QueuedCall, Record
from worker.formats.schemas import IdKind, NoSchema, Schema, SchemaId, Schemas
from worker.mapping.schemas_needed import SchemasNeeded
from worker.pipeline.ports import SchemaUnavailable
from worker.pipeline.schema_fetching import SchemaFetcher

AWAY = SchemaUnavailable("no response: timeout")
FORBIDDEN = SchemaUnavailable("the registry rejects the login (401)", unauthorized=True)

Answer = Callable[[int, float], Schema | NoSchema]
"""The registry's answer for an id at a time; may raise `SchemaUnavailable`."""


def known(_id: int, _now: float) -> Schema:
    return Schema("AVRO", '"string"')


def away_until(seconds: float, error: Exception = AWAY) -> Answer:
    def answer(id_: int, now: float) -> Schema:
        if now < seconds:
            raise error
        return known(id_, now)

    return answer


class ScriptedRegistry:
    """A registry on virtual time, which takes 20 ms for each answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[int] = []

    async def fetch(self, id_: SchemaId) -> Schema | NoSchema:
        await asyncio.sleep(0.02)
        self.asked.append(int(id_.value))
        return self.answer(int(id_.value), asyncio.get_running_loop().time())

    async def close(self) -> None:
        pass


class SchemaWorld(World):
    """A world in which a record says which schema it needs; None for none."""

    def __init__(self, answer: Answer, partitions: int = 1, **settings: dict[str, object]) -> None:
        super().__init__(partitions, **settings)
        self.registry = ScriptedRegistry(answer)
        self.caches: list[Schemas] = []

    def need(self, key: str | None, schema: int | None, partition: int = 0) -> int:
        return self.add(key, partition=partition, schema=schema)

    def schemas_of(self, member: Member) -> SchemaFetcher:
        schemas = Schemas()
        self.caches.append(schemas)
        needed = SchemasNeeded([Needs(schemas)])
        return SchemaFetcher(self.registry, schemas, lambda _: needed, member.telemetry)  # type: ignore[arg-type]

    def convert(
        self, records: Sequence[Record], calls: list[QueuedCall], rejected: list[tuple[Record, Rejected]]
    ) -> int:
        for record in records:
            id_ = schema_of(record)
            assert id_ is None or any(cache.get(id_) for cache in self.caches), "mapped without its schema"
        return super().convert(records, calls, rejected)


class Needs:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def missing(self, records: Sequence[Record]) -> dict[int, SchemaId]:
        ids = {index: schema_of(record) for index, record in enumerate(records)}
        return {index: id_ for index, id_ in ids.items() if id_ and self._schemas.get(id_) is None}


def schema_of(record: Record) -> SchemaId | None:
    (call,) = orjson.loads(record.value() or b"")["calls"]
    return None if call["schema"] is None else SchemaId(IdKind.CONFLUENT, cast("int", call["schema"]))


async def test_a_record_waits_for_its_schema_and_holds_back_only_its_key_and_the_commit() -> None:
    world = SchemaWorld(away_until(60))
    for key, schema in (("a", None), ("b", 7), ("a", None), ("b", None), (None, 7), (None, None)):
        world.need(key, schema)
    member = world.member()
    await at(50)
    assert world.delivered() == ["0/0/0", "0/2/0", "0/5/0"]
    assert world.broker.committed["orders", 0] == 1
    assert [each["reason"] for each in member.pipeline.problems()] == ["SCHEMA_REGISTRY_UNREACHABLE"]
    oldest = member.pipeline.observation().oldest_undelivered["orders", 0]
    assert oldest == pytest.approx(50, abs=2)
    await world.settled()
    assert member.pipeline.problems() == []
    assert len(world.delivered()) == 6
    assert await member.stop()


async def test_each_schema_is_fetched_once() -> None:
    world = SchemaWorld(known)
    for number in range(300):
        world.need(f"k{number % 7}", number % 5)
    member = world.member()
    await world.settled()
    assert sorted(world.registry.asked) == [0, 1, 2, 3, 4]
    assert await member.stop()


@pytest.mark.slow
async def test_ten_thousand_ids_in_one_topic_are_fetched_in_turn_and_no_more_than_a_thousand_kept() -> None:
    world = SchemaWorld(known)
    for number in range(10_000):
        world.need(f"k{number % 50}", number)
    member = world.member()
    await world.settled()
    assert len(world.delivered()) == 10_000
    assert len(world.caches[0]) == 1000
    assert await member.stop()


async def test_waiting_records_count_towards_memory_and_polling_goes_on() -> None:
    world = SchemaWorld(away_until(60), memory={"max_records_in_progress": 100})
    for number in range(500):
        world.need(f"k{number}", 7)
    member = world.member()
    await at(50)
    assert member.source.ahead == 100
    assert member.pipeline.observation().in_progress_records == 100
    await world.settled()
    assert await member.stop()


async def test_until_caught_up_waits_for_a_registry_that_is_away() -> None:
    world = SchemaWorld(away_until(60))
    world.need("a", 7)
    member = world.member(until_caught_up=True)
    assert await member.finished()
    assert world.delivered() == ["0/0/0"]


async def test_until_caught_up_ends_where_the_registry_refuses_the_login() -> None:
    world = SchemaWorld(away_until(1e9, FORBIDDEN))
    world.need("a", 7)
    member = world.member(until_caught_up=True)
    assert not await member.finished()
    assert world.dead() == []
    assert [each["reason"] for each in member.pipeline.problems()] == ["SCHEMA_REGISTRY_UNAUTHORIZED"]


async def test_a_drain_does_not_wait_for_the_registry_and_commits_below_what_waits() -> None:
    world = SchemaWorld(away_until(1e9))
    for key, schema in (("a", None), ("b", 7), ("a", None)):
        world.need(key, schema)
    member = world.member()
    await at(5)
    began = asyncio.get_running_loop().time()
    await member.stop()
    assert asyncio.get_running_loop().time() - began < 5
    assert world.broker.committed["orders", 0] == 1


async def test_an_id_that_is_not_known_is_asked_again_after_a_minute() -> None:
    world = SchemaWorld(lambda _id, _now: NoSchema("unknown"))
    world.need("a", 7)
    member = world.member()
    await world.settled()
    world.need("a", 7)
    await world.settled()
    assert world.registry.asked == [7]
    await asyncio.sleep(61)
    world.need("a", 7)
    await world.settled()
    assert world.registry.asked == [7, 7]
    assert await member.stop()


async def test_schemas_that_the_registry_fails_on_keep_no_others_waiting() -> None:
    def answer(id_: int, now: float) -> Schema:
        if id_ < 10 and now < 120:
            raise AWAY
        return known(id_, now)

    world = SchemaWorld(answer)
    for number in range(20):
        world.need(f"k{number}", number)
    member = world.member()
    await at(60)
    assert sorted(int(each.split("/")[1]) for each in world.delivered()) == list(range(10, 20))
    assert [each["reason"] for each in member.pipeline.problems()] == ["SCHEMA_REGISTRY_UNREACHABLE"]
    world.need("late", 30)
    await at(70)
    assert "0/20/0" in world.delivered()
    await world.settled()
    assert member.pipeline.problems() == []
    assert await member.stop()


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_lost_or_overtaken_while_schemas_come_and_the_registry_goes(seed: int) -> None:
    rng = random.Random(seed)
    outages = sorted(rng.uniform(0, 60) for _ in range(6))

    def answer(id_: int, now: float) -> Schema:
        if sum(now > each for each in outages) % 2:
            raise AWAY
        return known(id_, now)

    world = SchemaWorld(answer, partitions=2, memory={"max_records_in_progress": rng.choice([60, 1000])})
    script = lambda _: Reply(rng.choice([200, 200, 200, 500]))  # noqa: E731
    members = [world.member(script)]
    for step in range(40):
        for _ in range(rng.randrange(30)):
            key = rng.choice([None, *(f"k{n}" for n in range(8))])
            world.need(key, rng.choice([None, step // 3, rng.randrange(40)]), rng.randrange(2))
        await asyncio.sleep(rng.uniform(0, 3))
        world.check()
        if step == 15:
            members.append(world.member(script))
        if step == 30:
            await members.pop(0).stop()
    await world.settled()
    for member in members:
        assert await member.stop()
