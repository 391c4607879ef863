"""Delivers batches: waits until each may be sent, sends it, and retries, splits or gives up according to the response.

A delivery ends when each of the batch's calls is delivered or refused, however long that takes. `core.retry` and
`core.rate_limit` make the decisions; this module does the waiting and sending.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from worker.core.retry import Action, CircuitBreaker, ResponseClass, RetryPolicy, RetryState, classify, decide
from worker.pipeline.ports import Response
from worker.pipeline.send_permit import SendPermit
from worker.pipeline.wakeup import Wakeup

if TYPE_CHECKING:
    from worker.core.lanes import Batch, Lanes, PartitionState
    from worker.core.records import OrderKey
    from worker.pipeline.group_limit import Limit
    from worker.pipeline.ports import Destination
    from worker.settings import Settings
    from worker.telemetry.telemetry import Telemetry

HOLD_REASONS = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND"}
"""The reason of a hold, by the status that caused it; a redirect is REDIRECTED, anything else UNEXPECTED_ANSWER."""

LEAST_WAIT_SECONDS = 0.0001
"""The least wait for the rate limit: sums of times are inexact, and a wait of nothing would be repeated many times."""


class Outcomes(Protocol):
    """Receives the outcome of each batch, or of each part that it was split into."""

    def delivered(self, batch: Batch) -> None:
        """The API accepted all of its calls."""

    def refused(self, batch: Batch, response: Response, attempts: int) -> None:
        """The API will never accept any of its calls."""


class Delivery:
    """Sends several batches at a time, never two of the same lane.

    Args:
        destination: the API.
        lanes: freed as calls are finished.
        settings: `delivery` of worker.yaml.
        telemetry: notified of each attempt.
        outcomes: notified of each outcome.
        limit: the rate limit.
        permit: requests are sent only while it is granted.
        breaker: whether the API accepts requests, and if not, why.
        progress: notified when a request ends, or a batch backs off and others may be sent in its place.
        rng: draws from [0, 1), for full jitter.
        before_sending: called before the permit is checked for a request.

    Attributes:
        in_hand: the tasks of all batches that were started and are not finished.
        on_wire: the batches of requests in flight, each with what can end its request; None if it has ended without a
            response and may still arrive.
        awaits_responses: whether a revoke waits for requests in flight to end by themselves.
    """

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        destination: Destination,
        lanes: Lanes,
        settings: Settings,
        telemetry: Telemetry,
        outcomes: Outcomes,
        *,
        limit: Limit,
        permit: SendPermit,
        breaker: CircuitBreaker,
        progress: Wakeup,
        rng: Callable[[], float],
        before_sending: Callable[[], None],
    ) -> None:
        delivery = settings.delivery
        self._destination = destination
        self._lanes = lanes
        self._max_in_flight = delivery.max_requests_in_flight
        self._policy = RetryPolicy(delivery.give_up_after, delivery.give_up_alone_after)
        self._telemetry = telemetry
        self._outcomes = outcomes
        self._permit = permit
        self._breaker = breaker
        self._progress = progress
        self._rng = rng
        self._before_sending = before_sending
        self._limit = limit
        self._probing = asyncio.Lock()
        self._untried = 0
        self._backing_off = 0
        self.in_hand: set[asyncio.Task[None]] = set()
        self.on_wire: dict[Batch, asyncio.Timeout | None] = {}
        self.awaits_responses = False

    def start(self, batch: Batch) -> asyncio.Task[None]:
        """Send a batch, and the parts that it is split into, until each call is delivered or refused."""
        self._untried += 1
        task = asyncio.create_task(self._deliver(batch))
        self.in_hand.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait_for_turn(self) -> None:
        """Wait until another batch may be sent immediately. Taking it from the lanes only then lets it grow meanwhile.

        A batch that backs off does not count towards the limit. While the API fails, one untried batch is kept ready as
        a probe: retries of old batches alone could not distinguish a failing API from failing batches.
        """
        # Conditions are not rechecked after each wait: `_turn` checks all of them again before the request.
        while not self._has_turn():
            await self._progress.wait()
        await self._permit.wait()
        await self._wait_for_window()

    def partitions_on_wire(self) -> set[PartitionState]:
        """The partitions with calls in flight."""
        return {chunk.state for batch in self.on_wire for chunk in batch.chunks}

    @property
    def in_excess(self) -> int:
        """How many requests in flight the rate limit does not allow any more."""
        return int(max(0, len(self.on_wire) - self._limit.most_in_flight(self._now())))

    def limit_changed(self) -> None:
        """End the newest requests that the rate limit does not allow any more; they are sent again later."""
        ends = 0 if self.awaits_responses and not self._limit.is_over(self._now()) else self.in_excess
        for ending in list(self.on_wire.values())[len(self.on_wire) - ends :]:
            if ending is not None and not ending.expired():
                ending.reschedule(self._now())
        self._progress.notify()

    def _has_turn(self) -> bool:
        if self._breaker.is_open:
            return self._untried == 0
        return len(self.in_hand) - self._backing_off < self._max_in_flight

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.in_hand.discard(task)
        self._progress.notify()

    async def _deliver(self, batch: Batch) -> None:
        pieces = await self._attempt(batch, RetryState())
        self._untried -= 1
        while pieces:
            piece = _next(pieces)
            if piece.due > self._now():
                await self._back_off_until(piece.due)
            # What is left of it takes its place, because the order within a lane is that of the list.
            at = pieces.index(piece)
            pieces[at : at + 1] = await self._attempt(piece.batch, piece.state)

    async def _back_off_until(self, then: float) -> None:
        self._backing_off += 1
        self._progress.notify()
        try:
            await self._sleep_until(then)
        finally:
            self._backing_off -= 1

    async def _attempt(self, batch: Batch, state: RetryState) -> list[_Piece]:
        """Send a piece once; returns the pieces that are still to be delivered."""
        async with self._turn():
            # Partitions may have been revoked during the wait. There is no await between this check and `on_wire`,
            # where a later revoke sees the request and waits for it.
            batch = self._lanes.without_revoked(batch)
            if not batch.chunks:
                return []
            response = await self._request(batch, state)
        kind = classify(response.status, json=response.json)
        match self._judge(batch, state, kind, response):
            case Action.DELIVERED:
                self._lanes.finish(batch)
                self._outcomes.delivered(batch)
                return []
            case Action.DEAD_LETTER:
                self._lanes.finish(batch)
                self._outcomes.refused(batch, response, state.failures)
                return []
            case Action.SPLIT:
                self._telemetry.request_retried("split")
                return [_Piece(half, state.half()) for half in batch.split()]
            case Action.RETRY | Action.HOLD:
                self._telemetry.request_retried(str(response.status or response.failure))
                return [_Piece(batch, state, self._retry_at(kind, state))]

    def _judge(self, batch: Batch, state: RetryState, kind: ResponseClass, response: Response) -> Action:
        """Update the breaker and the retry state with a response, and decide what to do with its batch."""
        now = self._now()
        if kind is ResponseClass.ACCEPTED:
            self._breaker.succeeded(state.sent_at)
            self._telemetry.delivery_resumed()
            return Action.DELIVERED
        state.failed(kind, now, self._breaker)
        if response.retry_after is not None:
            self._breaker.wait_for(response.retry_after, now)
        action = decide(kind, batch.count, state, now, self._policy)
        if action is Action.HOLD:
            reason = _hold_reason(response.status)
            self._breaker.hold_delivery(reason, now)
            self._telemetry.delivery_held(reason, response.status, response.errors)
        return action

    def _retry_at(self, kind: ResponseClass, state: RetryState) -> float:
        return self._breaker.failed(kind, state, self._now(), self._rng())

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent. While the breaker is open, one at a time, in the order of their waiting."""
        probing = False
        try:
            while True:  # other tasks run during each wait, so all conditions are checked again afterwards
                self._before_sending()
                if self._breaker.is_open and not probing:
                    probing = await self._probing.acquire()
                elif probing and not self._breaker.is_open:
                    self._probing.release()
                    probing = False
                elif (next_request_at := self._breaker.next_request_at) > self._now():
                    await self._sleep_until(next_request_at)
                elif not self._permit.granted:
                    await self._permit.wait()
                elif len(self.on_wire) >= self._max_in_flight:
                    await self._progress.wait()
                elif self._limit.wait(self._now()) > 0:
                    await self._wait_for_window()
                else:
                    break
            yield
        finally:
            if probing:
                self._probing.release()

    async def _request(self, batch: Batch, state: RetryState) -> Response:
        self._limit.enter()
        state.sent_at = self._now()
        try:
            response = await self._send(batch)
            if not response.status and (late := self._limit.late_seconds):
                self.on_wire[batch] = None
                await asyncio.sleep(late)
            return response
        finally:
            del self.on_wire[batch]
            self._limit.leave(self._now())
            self._progress.notify()

    async def _send(self, batch: Batch) -> Response:
        try:
            async with asyncio.timeout(None) as ending:
                self.on_wire[batch] = ending
                return await self._destination.send(batch.body(), batch.heads(), batch.count)
        except TimeoutError:  # from `limit_changed`
            return Response(0, failure="ended")

    async def _wait_for_window(self) -> None:
        began = self._now()
        while (wait := self._limit.wait(self._now())) > 0:
            await self._progress.wait(max(wait, LEAST_WAIT_SECONDS) if math.isfinite(wait) else None)
        if (waited := self._now() - began) > 0:
            self._telemetry.tokens_awaited(waited)

    async def _sleep_until(self, then: float) -> None:
        if (wait := then - self._now()) > 0:
            await asyncio.sleep(wait)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(slots=True, eq=False)
class _Piece:
    """A batch, or a part that was split from one, and when it is due."""

    batch: Batch
    state: RetryState
    due: float = -math.inf


def _next(pieces: list[_Piece]) -> _Piece:
    """The piece that is due first, but never one behind another of the same lane: that would break the key's order."""
    first = pieces[0]
    before: set[tuple[PartitionState, OrderKey]] = set()
    for piece in pieces:
        if piece.due < first.due and piece.batch.lane not in before:
            first = piece
        if piece.batch.lane is not None:
            before.add(piece.batch.lane)
    return first


def _hold_reason(status: int) -> str:
    return HOLD_REASONS.get(status, "REDIRECTED" if 300 <= status <= 399 else "UNEXPECTED_ANSWER")
