"""Everything at once: what can go wrong goes wrong, by chance, and afterwards everything promised has held.

`SIMULATIONS=1000` in the environment runs more worlds than usual; each is the same again by its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.scripted_api import Reply, Request
from tests.support.simulation import TOPIC, Member, World

pytestmark = pytest.mark.no_cover  # runs through the same lines a hundred times

SIMULATIONS = int(os.environ.get("SIMULATIONS", "50"))
CHAOS_SECONDS = 120.0
REFUSALS = [400, 413, 422]
SUSPECTS = [500, 503, 403]

Weather = Callable[[Request], Reply]


class Chaos:
    """A world in which things happen by chance.

    Args:
        seed: of the chance.
        losing: whether partitions are lost without a word; then two members may send the same at once.
    """

    def __init__(self, seed: int, *, losing: bool) -> None:
        self.chance = random.Random(seed)
        self.world = World(self.chance.randint(1, 4), **self._settings())
        self.world.account.concurrent = self.losing = losing
        self.neighbours = self.chance.random() < 0.5
        self.weather: Weather = self.calm
        self.weathers = [self.calm, self.flaky, self.flaky, self.broken, self.unauthorized, self.misdirected]
        # If as many batches as may be in flight fail because of bad calls, that looks like an outage.
        self.suspects = self.world.settings.delivery.max_requests_in_flight
        if self.world.settings.memory.max_records_in_progress <= 10:
            # Hardly anything else is in progress while a call fails: no other batch passes to show which call is bad.
            self.suspects = 0
            self.weathers = [self.calm, self.flaky, self.broken]
        self.has_suspects = self.suspects > 0

    def _settings(self) -> dict[str, dict[str, Any]]:
        chance = self.chance
        records = chance.choice([1, 2, 10, 1000, 5000])
        requests, per = chance.choice([(2, "1s"), (10, "1s"), (1, "300ms"), (1000, "1s")])
        return {
            "batch": {
                "max_calls": chance.choice([1, 2, 7, 20, 100]),
                "max_bytes": chance.choice([1100, 1500, 3000, 20_000]),
                "linger": chance.choice(["0s", "50ms", "2s"]),
            },
            "rate_limit": {"requests": requests, "per": per},
            "memory": {
                "max_records_in_progress": records,
                "max_bytes": 10_000_000 if records > 10 else 500,
            },
            "delivery": {
                "max_requests_in_flight": chance.choice([1, 2, 4, 8]),
                "give_up_alone_after": "30s" if records > 500 else "1h",
            },
        }

    # Weather

    def calm(self, _: Request) -> Reply:
        return Reply(before=self.chance.random() * 0.2, after=self.chance.random() * 0.2)

    def flaky(self, request: Request) -> Reply:
        reply = self.calm(request)
        match self.chance.randrange(12):
            case 0:
                reply.status = self.chance.choice([500, 502, 503, 408, 425, 429])
            case 1:
                reply.status, reply.delivers = 0, True  # the answer is lost
            case 2:
                reply.status = 0
            case 3:
                reply.after = 10.0
            case 4:
                reply.before = reply.after = 10.0
            case 5:
                reply.status, reply.retry_after = 429, self.chance.choice([1.0, 3.0])
        return reply

    def broken(self, request: Request) -> Reply:
        reply = self.calm(request)
        reply.status = self.chance.choice([0, 500, 503, 429])
        return reply

    def unauthorized(self, request: Request) -> Reply:
        reply = self.calm(request)
        reply.status = 401
        return reply

    def misdirected(self, request: Request) -> Reply:
        reply = self.calm(request)
        reply.status = self.chance.choice([403, 404, 302, 204, 418])
        reply.json = reply.status != 204
        return reply

    def change_weather(self) -> None:
        """Whom a wrong answer meets once more while others pass is suspected: so that comes only once."""
        self.weather = self.chance.choice(self.weathers)
        if self.weather == self.misdirected:
            self.weathers.remove(self.weather)

    def answer(self, request: Request) -> Reply:
        return self.weather(request)

    # Happenings

    def add_records(self) -> None:
        keys = ["a", "b", "c", "d", "e", None][: self.chance.randint(1, 6)]
        for _ in range(self.chance.randint(1, 25)):
            calls = [self._call() for _ in range(self.chance.choice([0, 1, 1, 1, 1, 2, 3]))]
            self.world.add_calls(
                self.chance.choice(keys),
                calls,
                partition=self.chance.randrange(len(self.world.broker.logs)),
                reject=self.chance.random() < 0.03,
            )
        if self.chance.random() < 0.1:
            self.world.broker.skip(TOPIC, self.chance.randrange(len(self.world.broker.logs)), 3)

    def _call(self) -> dict[str, Any]:
        call: dict[str, Any] = {"pad": "x" * self.chance.choice([0, 0, 10, 100, 600])}
        if self.chance.random() < 0.3:
            call["context"] = {"ip": self.chance.randint(1, 3)}
        if self.chance.random() < 0.03:
            call["poison"] = self._poison()
        return call

    def _poison(self) -> int:
        if self.suspects == 0 or self.chance.random() < 0.5:
            return self.chance.choice(REFUSALS)
        self.suspects -= 1
        return self.chance.choice(SUSPECTS)

    def rebalance(self) -> None:
        some = [each for each in self.world.broker.logs if self.chance.random() < 0.5]
        if self.chance.random() < 0.5:
            self.world.broker.take_away(some)
        else:
            self.world.broker.give_back(some)
        if self.losing:
            self.chance.choice(self.members()).source.lose(some)

    def members(self) -> list[Member]:
        return self.world.members

    async def come_and_go(self) -> None:
        """A member comes, or one goes, in good order or not."""
        working = [each for each in self.members() if each.is_running]
        if len(working) < 2:
            self.join()
            return
        leaving = self.chance.choice(working)
        await (leaving.stop() if self.chance.random() < 0.5 else leaving.stop_at_once())

    def join(self) -> None:
        member = self.world.member(self.answer)
        member.api.neighbours = self.neighbours
        member.source.commit_seconds = self.chance.choice([0.0, 0.05, 1.5])

    async def happen(self) -> None:
        await asyncio.sleep(self.chance.random() * 8)
        match self.chance.randrange(8):
            case 0 | 1:
                self.add_records()
            case 2 | 3:
                self.change_weather()
            case 4:
                self.rebalance()
            case 5:
                self.chance.choice(self.members()).source.commit_failures = self.chance.randint(1, 3)
            case 6:
                self.world.dead_letters.failures = self.chance.randint(1, 5)
            case 7:
                await self.come_and_go()

    async def run(self) -> None:
        self.add_records()
        self.join()
        loop = asyncio.get_running_loop()
        while loop.time() < CHAOS_SECONDS:
            await self.happen()
            self.world.check()
        self.calm_down()
        if self.has_suspects:
            traffic = asyncio.create_task(self.go_on())
            await self.world.until_committed_all()
            traffic.cancel()
        await self.world.settled()
        for member in self.members():
            if member.is_running:
                assert await member.stop()

    async def go_on(self) -> None:
        """Others pass, which shows whose fault it is when a call does not."""
        while True:
            await asyncio.sleep(2)
            for number in range(len(self.world.broker.logs)):
                self.world.add(f"traffic-{self.chance.random()}", partition=number)

    def calm_down(self) -> None:
        """Everything works again, and somebody is there."""
        self.weather = self.calm
        self.world.dead_letters.failures = 0
        self.world.broker.give_back(self.world.broker.logs)
        for member in self.members():
            member.source.commit_failures = 0
        if not any(member.is_running for member in self.members()):
            self.join()


@pytest.mark.parametrize("seed", range(SIMULATIONS))
async def test_the_promises_hold_under_random_faults(seed: int) -> None:
    await Chaos(seed, losing=False).run()


@pytest.mark.parametrize("seed", range(SIMULATIONS // 2))
async def test_lost_partitions_lose_no_records(seed: int) -> None:
    await Chaos(seed, losing=True).run()
