"""The Pipelines API on virtual time: responds as its script says, and keeps an exact account of what arrived.

A bad call carries its own status (`"poison": 400`), so a script describes only the faults of the API. Any request that
violates a guarantee fails the test immediately.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from worker.core.records import Record
from worker.pipeline.ports import Response

REFUSALS = {400, 413, 422}


@dataclass(slots=True)
class Reply:
    """The script's response to a request.

    Attributes:
        status: 0: the connection breaks.
        delivers: whether the calls are taken; None: if the status is 2xx.
        before, after: seconds until the request arrives, and until its answer does.
    """

    status: int = 200
    delivers: bool | None = None
    retry_after: float | None = None
    json: bool = True
    before: float = 0.05
    after: float = 0.05


@dataclass(slots=True, eq=False)
class Request:
    """One request, as the API sees it."""

    body: bytes
    calls: list[dict[str, Any]]
    sent_at: float
    member: object
    arrived_at: float | None = None
    answered_at: float | None = None
    status: int | None = None
    ids: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.ids = [call["messageId"] for call in self.calls]

    def orders(self) -> set[tuple[Any, ...]]:
        """What must never be in two requests at once: keys within their partitions, records without a key."""
        return {ordering_of(call) for call in self.calls}


def ordering_of(call: dict[str, Any]) -> tuple[Any, ...]:
    """What a call's order hangs on."""
    topic, partition, offset, _ = call["messageId"].split("/")
    return (topic, partition, call["key"] if call["key"] is not None else int(offset))


Script = Callable[[Request], Reply]


@dataclass(slots=True)
class Account:
    """What all members of a group have sent to one API.

    Attributes:
        expected: each call's exact bytes, by its id, as they were encoded first.
        delivered: ids in the order of their first delivery.
        times: how often each id was delivered.
        requests: all of them, in the order in which they were sent.
        concurrent: whether a key may be in two requests: only after partitions were lost.
    """

    max_bytes: int = 475_000
    max_calls: int = 2000
    concurrent: bool = False
    expected: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    requests: list[Request] = field(default_factory=list)
    in_flight: list[Request] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)

    def begin(self, body: bytes, member: object) -> Request:
        """A request leaves: everything that can be said of it alone must hold."""
        calls = orjson.loads(body)["batch"]
        request = Request(body, calls, asyncio.get_running_loop().time(), member)
        assert 0 < len(calls) <= self.max_calls
        assert len(body) <= self.max_bytes
        assert len(set(request.ids)) == len(calls), "a call twice in one request"
        assert body == self._exact(request.ids), "not the bytes that were encoded first"
        for other in self.in_flight:
            assert self.concurrent or not request.orders() & other.orders(), "a key in two requests at once"
        self.requests.append(request)
        self.in_flight.append(request)
        self.calls |= {call["messageId"]: call for call in calls}
        return request

    def end(self, request: Request) -> None:
        """The sender knows the answer, or has given it up."""
        self.in_flight.remove(request)
        request.answered_at = asyncio.get_running_loop().time()

    def deliver(self, ids: Sequence[str]) -> None:
        """The API has taken these."""
        self.delivered += [each for each in ids if not self.times[each]]
        self.times.update(ids)

    def encoded(self, call_id: str, body: bytes, envelope: bytes) -> None:
        """A call was made from a record; made again it must be the same."""
        assert self.expected.setdefault(call_id, (body, envelope)) == (body, envelope)

    def arrivals(self, member: object) -> list[float]:
        """When one member's requests arrived."""
        return sorted(
            each.arrived_at for each in self.requests if each.member is member and each.arrived_at is not None
        )

    def _exact(self, ids: list[str]) -> bytes:
        bodies = [self.expected[each][0] for each in ids]
        envelopes = {self.expected[each][1] for each in ids}
        assert len(envelopes) == 1, "calls of different envelopes in one request"
        envelope = envelopes.pop()
        return b'{"batch":[' + b",".join(bodies) + (b"]," + envelope if envelope else b"]") + b"}"


class ScriptedApi:
    """Implements `ports.Destination` for one member.

    Attributes:
        script: returns the reply to a request whose calls are all good.
        neighbours: whether the good calls of a refused batch are accepted; the real API's behaviour is not documented.
        timeout: seconds until a request is given up.
        late: returns how many seconds after its connection was closed a request arrives that had not arrived before;
            None: none does.
    """

    def __init__(self, account: Account, timeout: float = 15.0) -> None:
        self.account = account
        self.script: Script = lambda _: Reply()
        self.neighbours = False
        self.timeout = timeout
        self.late: Callable[[], float] | None = None

    async def send(self, body: bytes, records: Sequence[Record], calls: int) -> Response:
        request = self.account.begin(body, self)
        assert 0 < len(records) <= len(request.calls), "a sample of those whose calls are sent"
        try:
            async with asyncio.timeout(self.timeout):
                reply = self.script(request)
                await asyncio.sleep(reply.before)
                request.arrived_at = asyncio.get_running_loop().time()
                request.status = self._take(request, reply)
                await asyncio.sleep(reply.after)
        except TimeoutError:
            return Response(0, failure="timeout")
        finally:
            self.account.end(request)
            if request.arrived_at is None and self.late is not None:
                request.arrived_at = asyncio.get_running_loop().time() + self.late()
        failure = None if request.status else "connection"
        return Response(request.status, json=reply.json, retry_after=reply.retry_after, failure=failure)

    def _take(self, request: Request, reply: Reply) -> int:
        """Take what is good, and answer the status."""
        delivers = 200 <= reply.status <= 299 and reply.json if reply.delivers is None else reply.delivers
        if not delivers:
            return reply.status
        poison = next((call["poison"] for call in request.calls if call.get("poison")), None)
        if poison is None:
            self.account.deliver(request.ids)
            return reply.status
        if self.neighbours and poison in REFUSALS:
            self.account.deliver([call["messageId"] for call in request.calls if not call.get("poison")])
        return int(poison)

    async def close(self) -> None: ...
