"""How one batch gets to the API: when it may be sent, what its answer means, what is done about it.

`Delivery.deliver` returns when each of the batch's calls is delivered or refused, however long that takes. The
decisions are `core.retry`'s and `core.rate_limit`'s; here is the waiting between them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from worker.core.rate_limit import SlidingWindow
from worker.core.retry import Action, Answer, Attempts, Gate, Patience, classify, decide
from worker.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.core.lanes import Batch, Lanes
    from worker.ports import Destination, Response
    from worker.settings import Settings
    from worker.telemetry import Telemetry

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
        on_wire: batches that have been sent and not answered.
        progress: notified whenever a request is answered, or fails.
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
        self._backoff = delivery.retry_initial, delivery.retry_max
        self._patience = Patience(delivery.give_up_after, delivery.give_up_alone_after)
        self._telemetry = telemetry
        self._outcomes = outcomes
        self._chance = chance
        self._window = SlidingWindow(settings.rate_limit.requests, settings.rate_limit.per)
        self._probing = asyncio.Lock()
        self._stopped_for: set[str] = set()
        self._may_send = asyncio.Event()
        self._may_send.set()
        self.gate = Gate(*self._backoff)
        self.on_wire: set[Batch] = set()
        self.progress = Wakeup()

    async def deliver(self, batch: Batch) -> None:
        """Send a batch, and what it is split into, until each call is delivered or refused."""
        waiting = [(batch, Attempts())]
        while waiting:
            batch, attempts = waiting.pop()
            async with self._turn():
                batch = self._lanes.without_withdrawn(batch)
                if not batch.calls:
                    continue
                response = await self._request(batch, attempts)
            answer = classify(response.status, json=response.json)
            match self._judge(batch, attempts, answer, response):
                case Action.DELIVERED:
                    self._outcomes.delivered(batch)
                    self._lanes.finish(batch)
                case Action.DEAD_LETTER:
                    self._outcomes.refused(batch, response, attempts.count)
                    self._lanes.finish(batch)
                case Action.SPLIT:
                    self._telemetry.request_retried("split")
                    first, second = batch.split()
                    waiting += [(second, attempts.half()), (first, attempts.half())]
                case Action.RETRY | Action.HOLD:
                    self._telemetry.request_retried(str(response.status or response.failure))
                    now = self._now()
                    await self._sleep_until(self.gate.failed(answer, attempts, now, self._chance()))
                    waiting.append((batch, attempts))

    async def wait_for_room(self) -> None:
        """Wait until the rate limit has room and nothing else keeps requests back: then is the time to take."""
        await self._may_send.wait()
        await self._wait_for_window()

    def stop_sending(self, reason: str) -> None:
        """Send nothing more until this reason is gone; what is on the wire is still answered."""
        self._stopped_for.add(reason)
        self._may_send.clear()

    def go_on(self, reason: str) -> None:
        """This is no reason any longer to send nothing."""
        self._stopped_for.discard(reason)
        if not self._stopped_for:
            self._may_send.set()

    def _judge(self, batch: Batch, attempts: Attempts, answer: Answer, response: Response) -> Action:
        """Learn from an answer, and decide what to do with its batch."""
        now = self._now()
        if answer is Answer.ACCEPTED:
            self.gate.passed(attempts.sent_at)
            self._telemetry.delivery_resumed()
            return Action.DELIVERED
        attempts.failed(now, self.gate.last_passed)
        if response.retry_after is not None:
            self.gate.wait_for(response.retry_after, now)
        action = decide(answer, len(batch.calls), attempts, now, self._patience)
        if action is Action.HOLD:
            self.gate.hold = _hold_reason(response.status)
            self._telemetry.delivery_held(self.gate.hold, response.status, response.errors)
        return action

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until a request may go out; while the API fails, one at a time, first come first served."""
        async with AsyncExitStack() as stack:
            if self.gate.closed:
                await stack.enter_async_context(self._probing)
                if self.gate.closed:
                    await self._sleep_until(self.gate.open_at)
                else:
                    await stack.aclose()
            await self._sleep_until(self.gate.floor)
            await self._may_send.wait()
            await self._wait_for_window()
            yield

    async def _request(self, batch: Batch, attempts: Attempts) -> Response:
        self._window.enter()
        self.on_wire.add(batch)
        attempts.sent_at = self._now()
        try:
            return await self._destination.send(batch.body(), batch.records())
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


def _hold_reason(status: int) -> str:
    return HOLD_REASONS.get(status, "REDIRECTED" if 300 <= status <= 399 else "UNEXPECTED_ANSWER")
