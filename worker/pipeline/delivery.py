"""How one batch gets to the API: when it may be sent, what its answer means, what is done about it.

What `Delivery.start` begins ends when each of the batch's calls is delivered or refused, however long that takes.
The decisions are `core.retry`'s and `core.rate_limit`'s; here is the waiting between them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from worker.core.rate_limit import SlidingWindow
from worker.core.retry import Action, Answer, Attempts, Gate, Patience, classify, decide
from worker.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.core.lanes import Batch, Lanes, Track
    from worker.core.records import OrderKey
    from worker.pipeline.ports import Destination, Response
    from worker.settings import Settings
    from worker.telemetry.telemetry import Telemetry

HOLD_REASONS = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
"""What a hold is called, by the answer that caused it; a redirect is REDIRECTED, all else UNEXPECTED_ANSWER."""


class Outcomes(Protocol):
    """Who is told what became of a batch."""

    def delivered(self, batch: Batch) -> None:
        """The API has accepted every call in it."""

    def refused(self, batch: Batch, response: Response, attempts: int) -> None:
        """No call in it will ever be accepted."""


class Delivery:
    """Sends batches, several at a time, never one lane in two of them.

    Args:
        destination: the API.
        lanes: freed as calls are finished.
        settings: `rate_limit` and `delivery` of worker.yaml.
        telemetry: told of each attempt.
        outcomes: told of each end.
        chance: draws from [0, 1) for full jitter.

    Attributes:
        gate: whether the API takes requests, and why not.
        in_hand: the tasks of all batches that have been started and are not finished.
        on_wire: batches that have been sent and not answered.
        progress: notified whenever a request is answered, fails, or leaves its place to others.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        destination: Destination,
        lanes: Lanes,
        settings: Settings,
        telemetry: Telemetry,
        outcomes: Outcomes,
        *,
        chance: Callable[[], float],
    ) -> None:
        delivery = settings.delivery
        self._destination = destination
        self._lanes = lanes
        self._max_in_flight = delivery.max_requests_in_flight
        self._patience = Patience(delivery.give_up_after, delivery.give_up_alone_after)
        self._telemetry = telemetry
        self._outcomes = outcomes
        self._chance = chance
        self._window = SlidingWindow(settings.rate_limit.requests, settings.rate_limit.per)
        self._probing = asyncio.Lock()
        self._stopped_for: set[str] = set()
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._untried = 0
        self._resting = 0
        self.gate = Gate(delivery.retry_initial, delivery.retry_max)
        self.in_hand: set[asyncio.Task[None]] = set()
        self.on_wire: set[Batch] = set()
        self.progress = Wakeup()

    def start(self, batch: Batch) -> asyncio.Task[None]:
        """Send a batch, and what it is split into, until each call is delivered or refused."""
        self._untried += 1
        task = asyncio.create_task(self._deliver(batch))
        self.in_hand.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait_for_room(self) -> None:
        """Wait until another batch may be sent at once: then is the time to take it, and not before.

        What rests before it is tried again leaves its place to others. While the API fails, there always is one batch
        that was not tried yet: who knows whether it is the API or what was tried.
        """
        while not self._has_room():
            await self.progress.wait()
        await self._may_send.wait()
        await self._wait_for_window()

    def tracks_on_wire(self) -> set[Track]:
        """The assignments whose calls have been sent and not answered."""
        return {stretch.track for batch in self.on_wire for stretch in batch.stretches}

    def stop_sending(self, reason: str) -> None:
        """Send nothing more until this reason is gone; what is on the wire is still answered."""
        self._stopped_for.add(reason)
        self._may_send.clear()

    def go_on(self, reason: str) -> None:
        """This is no reason any longer to send nothing."""
        self._stopped_for.discard(reason)
        if not self._stopped_for:
            self._may_send.set()

    def _has_room(self) -> bool:
        if self.gate.closed:
            return self._untried == 0
        return len(self.in_hand) - self._resting < self._max_in_flight

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.in_hand.discard(task)
        self.progress.notify()

    async def _deliver(self, batch: Batch) -> None:
        pieces = await self._attempt(batch, Attempts())
        self._untried -= 1
        while pieces:
            piece = _next(pieces)
            if piece.due > self._now():
                await self._rest_until(piece.due)
            at = pieces.index(piece)
            pieces[at : at + 1] = await self._attempt(piece.batch, piece.attempts)

    async def _rest_until(self, then: float) -> None:
        self._resting += 1
        self.progress.notify()
        try:
            await self._sleep_until(then)
        finally:
            self._resting -= 1

    async def _attempt(self, batch: Batch, attempts: Attempts) -> list[_Piece]:
        """Send a piece once, and answer what is left of it."""
        async with self._turn():
            batch = self._lanes.without_withdrawn(batch)
            if not batch.stretches:
                return []
            response = await self._request(batch, attempts)
        answer = classify(response.status, json=response.json)
        match self._judge(batch, attempts, answer, response):
            case Action.DELIVERED:
                self._lanes.finish(batch)
                self._outcomes.delivered(batch)
                return []
            case Action.DEAD_LETTER:
                self._lanes.finish(batch)
                self._outcomes.refused(batch, response, attempts.count)
                return []
            case Action.SPLIT:
                self._telemetry.request_retried("split")
                return [_Piece(half, attempts.half()) for half in batch.split()]
            case Action.RETRY | Action.HOLD:
                self._telemetry.request_retried(str(response.status or response.failure))
                return [_Piece(batch, attempts, self._again_at(answer, attempts))]

    def _judge(self, batch: Batch, attempts: Attempts, answer: Answer, response: Response) -> Action:
        """Learn from an answer, and decide what to do with its batch."""
        now = self._now()
        if answer is Answer.ACCEPTED:
            self.gate.passed(attempts.sent_at)
            self._telemetry.delivery_resumed()
            return Action.DELIVERED
        attempts.failed(answer, now, self.gate)
        if response.retry_after is not None:
            self.gate.wait_for(response.retry_after, now)
        action = decide(answer, batch.count, attempts, now, self._patience)
        if action is Action.HOLD:
            reason = _hold_reason(response.status)
            self.gate.held(reason, now)
            self._telemetry.delivery_held(reason, response.status, response.errors)
        return action

    def _again_at(self, answer: Answer, attempts: Attempts) -> float:
        return self.gate.failed(answer, attempts, self._now(), self._chance())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until a request may go out; while the API fails, one at a time, first come first served."""
        probing = False
        try:
            while True:  # whatever was waited for, something else may have come up meanwhile
                if self.gate.closed and not probing:
                    probing = await self._probing.acquire()
                elif probing and not self.gate.closed:
                    self._probing.release()
                    probing = False
                elif (opens_at := self.gate.opens_at) > self._now():
                    await self._sleep_until(opens_at)
                elif not self._may_send.is_set():
                    await self._may_send.wait()
                elif len(self.on_wire) >= self._max_in_flight:
                    await self.progress.wait()
                elif self._window.wait(self._now()) > 0:
                    await self._wait_for_window()
                else:
                    break
            yield
        finally:
            if probing:
                self._probing.release()

    async def _request(self, batch: Batch, attempts: Attempts) -> Response:
        self._window.enter()
        self.on_wire.add(batch)
        attempts.sent_at = self._now()
        try:
            return await self._destination.send(batch.body(), batch.heads())
        finally:
            self.on_wire.discard(batch)
            self._window.leave(self._now())
            self.progress.notify()

    async def _wait_for_window(self) -> None:
        began = self._now()
        while (wait := self._window.wait(self._now())) > 0:
            if math.isfinite(wait):
                await asyncio.sleep(wait)
            else:
                await self.progress.wait()
        if (waited := self._now() - began) > 0:
            self._telemetry.tokens_awaited(waited)

    async def _sleep_until(self, then: float) -> None:
        if (wait := then - self._now()) > 0:
            await asyncio.sleep(wait)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(slots=True, eq=False)
class _Piece:
    """A batch, or what was split from one, and when it is due again."""

    batch: Batch
    attempts: Attempts
    due: float = -math.inf


def _next(pieces: list[_Piece]) -> _Piece:
    """The piece that is due first. None overtakes another of the same lane, for the sake of order."""
    first = pieces[0]
    before: set[tuple[Track, OrderKey]] = set()
    for piece in pieces:
        if piece.due < first.due and piece.batch.lane not in before:
            first = piece
        if piece.batch.lane is not None:
            before.add(piece.batch.lane)
    return first


def _hold_reason(status: int) -> str:
    return HOLD_REASONS.get(status, "REDIRECTED" if 300 <= status <= 399 else "UNEXPECTED_ANSWER")
