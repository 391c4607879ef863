"""The API of a campaign: the emulator, with an exact record of every request and of every call that it took."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import orjson
from aiohttp import web

from tests.campaign.events import REFUSED_EVENT
from tests.campaign.history import SECRET, Acceptance, Request, Sent
from worker.emulator import Emulator, Fault
from worker.emulator.received import Received
from worker.emulator.request_body import Item, RequestBody
from worker.emulator.traffic import Request as Seen
from worker.emulator.traffic import Traffic

_run: ContextVar[str] = ContextVar("run")
"""Which start of which member sent the request: each has a key of its own."""

_request: ContextVar[Request] = ContextVar("request")


class CampaignApi(Emulator):
    """The emulator, recording.

    Args:
        latency: seconds that each response takes at least.
        strict_batches: what happens to the good calls of a refused batch.

    Attributes:
        requests: all of them, in the order of their arrival.
        accepted: all calls that were taken, in the order in which they were; also those that came again.
    """

    def __init__(self, latency: float, strict_batches: str) -> None:
        super().__init__(latency=latency, strict_batches=strict_batches, keep_calls=1, remember=1)
        self.requests: list[Request] = []
        self.accepted: list[Acceptance] = []
        self.traffic = _Traffic(self.requests)
        self._api._received = self.received = _Received(self.accepted)

    async def during(self, seconds: float, fault: Fault) -> None:
        """Have a fault for some time, unless it ends by itself before."""
        self.faults.add(fault)
        await asyncio.sleep(seconds)
        if fault in self.faults.active():
            self.faults._faults.remove(fault)

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        _run.set(run_of(request.headers.get("Authorization", "")))
        return await super()._receive(request)


def run_of(authorization: str) -> str:
    """The start of a member that has this key: `Basic base64(key + ":")`."""
    key = base64.b64decode(authorization.partition(" ")[2]).decode().removesuffix(":")
    return key.removeprefix(f"{SECRET}-")


class _Traffic(Traffic):
    """Records requests from their last byte to the response."""

    def __init__(self, requests: list[Request]) -> None:
        super().__init__()
        self._requests = requests

    @contextmanager
    def request(
        self, path: str, body: bytes, parsed: RequestBody, *, strict: bool, at: float
    ) -> Iterator[Seen]:
        calls = [sent(item) for item in parsed.items]
        request = Request(len(self._requests), _run.get(), at, len(body), calls, errors=parsed.all_errors)
        self._requests.append(request)
        _request.set(request)
        for item in parsed.items:
            if (item.call or {}).get("event") == REFUSED_EVENT:
                item.errors.append("this call is refused")
        with super().request(path, body, parsed, strict=strict, at=at) as seen:
            try:
                yield seen
            except BaseException:
                request.abandoned = True
                raise
            finally:
                request.ended, request.status = time.time(), seen.status


class _Received(Received):
    """Records calls as they are taken; keeps none itself."""

    def __init__(self, accepted: list[Acceptance]) -> None:
        super().__init__(keep_calls=1, keep_bytes=1, remember=1)
        self._accepted = accepted

    def accept(self, item: Item, *, at: float, request: int) -> None:
        self._accepted.append(Acceptance(time.time(), _request.get(), sent(item)))

    def refuse(self, item: Item, outcome: object, *, at: float, request: int) -> None: ...


def sent(item: Item) -> Sent:
    """A call as the judge needs it. One that is not of an event has the number -1."""
    call = item.call or {}
    inner = call.get("properties") or call.get("traits") or {}
    shared = orjson.dumps([call.get("context"), call.get("integrations")]).decode()
    return Sent(str(call.get("messageId")), inner.get("n", -1), inner.get("i", -1), item.raw, shared)
