"""The emulator as an HTTP server: the API's endpoints, the page, and trouble where it was asked for."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import struct
import time
from collections.abc import Callable
from importlib import resources
from typing import Any

import orjson
from aiohttp import web

from worker.emulator.admin import Admin
from worker.emulator.api import Answer, Api, StrictBatches, failure
from worker.emulator.faults import Fault, Faults, fault_of_header
from worker.emulator.intake import ENDPOINTS, take_in
from worker.emulator.rate import RateWindow
from worker.emulator.received import Received
from worker.emulator.traffic import Traffic

_READABLE = 16_000_000
"""Bytes of a body that the server reads at all; beyond it answers 413. Far above the API's own limit."""


class Emulator:
    """A local stand-in for the Customer.io Pipelines API.

    Args:
        key: the only API key that is right; None: any that is not empty.
        strict_batches: what strict mode does with the good calls of a batch with a bad one.
        enforce_rate_limit: answer 429 over 3,000 requests in 3 s, instead of only counting them.
        latency: seconds before each answer.
        keep_calls: how many of the last calls are kept whole.
        keep_bytes: how many bytes of them at most.
        remember: how many message ids are remembered to recognise duplicates.
    """

    def __init__(  # noqa: PLR0913 - each is a switch of the command line
        self,
        *,
        key: str | None = None,
        strict_batches: StrictBatches | str = StrictBatches.ALL_OR_NOTHING,
        enforce_rate_limit: bool = False,
        latency: float = 0.0,
        keep_calls: int = 10_000,
        keep_bytes: int = 64_000_000,
        remember: int = 1_000_000,
    ) -> None:
        self.received = Received(keep_calls=keep_calls, keep_bytes=keep_bytes, remember=remember)
        self.faults = Faults()
        self.traffic = Traffic()
        self.rate = RateWindow()
        self._api = Api(key=key, strict_batches=StrictBatches(strict_batches), received=self.received)
        self._admin = Admin(self.received, self.traffic, self.faults, self.rate, self._api)
        self._enforce_rate_limit = enforce_rate_limit
        self._latency = latency
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """The base URL, such as `http://127.0.0.1:8090`, once started."""
        assert self._runner is not None, "the emulator is not running"
        host, port = self._runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def summary(self) -> dict[str, Any]:
        """What `/admin/summary` shows."""
        return self._admin.summary()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen. Port 0 takes a free one.

        Raises:
            OSError: the address is taken or not ours.
        """
        app = web.Application(client_max_size=_READABLE)
        for endpoint in ENDPOINTS:
            app.router.add_post(f"/v1/{endpoint}", self._receive)
        app.router.add_get("/", self._page)
        self._admin.add_routes(app)
        # Without handler_cancellation a stalled request would outlive its caller.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Close every connection, stalled ones too."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """The road of one request: read, take apart, trouble, answer."""
        body = await request.read()
        strict = request.headers.get("X-Strict-Mode") == "1"
        at = time.time()
        within_limit = self.rate.arrived(time.monotonic())
        intake = take_in(request.path.removeprefix("/v1/"), body, strict=strict)
        calls = [item.call for item in intake.items if item.call is not None]
        with self.traffic.request(request.path, body, intake, strict=strict, at=at) as seen:
            try:
                fault = self._fault_of(request, calls)
            except ValueError as error:
                return _respond(failure(400, [str(error)]))
            seen.fault = fault is not None
            await asyncio.sleep(self._latency + (fault.delay if fault else 0.0))
            if fault and not fault.after and (trouble := await self._trouble(request, fault)):
                seen.status = fault.status or 0
                return trouble
            if self._enforce_rate_limit and not within_limit:
                seen.status = 429
                return _respond(failure(429, ["too many requests"]))
            answer = self._api.answer(intake, request.headers, strict=strict, at=at, request=seen.number)
            if fault and fault.after and (trouble := await self._trouble(request, fault)):
                seen.status = fault.status or 0
                return trouble
            if fault and fault.body is not None:
                answer = Answer(answer.status, fault.body.encode())
            seen.status = answer.status
            return _respond(answer)

    def _fault_of(self, request: web.Request, calls: list[dict[str, Any]]) -> Fault | None:
        header = request.headers.get("X-Emulator-Fault")
        if header is not None:
            return fault_of_header(header)
        return self.faults.next_for(request.path, list(calls))

    async def _trouble(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """What the fault answers; None if it only delays or rewrites the answer."""
        if fault.stall:
            await self._stopping.wait()
        if fault.reset or fault.stall:
            return _reset(request)
        if fault.truncate:
            return await _truncate(request)
        if fault.status is None:
            return None
        return _respond(_faulty(fault))

    async def _page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        page = (resources.files("worker.emulator") / "page.html").read_text("utf-8")
        policy = (
            f"default-src 'none'; connect-src 'self'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"
        )
        return web.Response(
            text=page.replace("{{nonce}}", nonce),
            content_type="text/html",
            headers={"Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'"},
        )


async def serve(listen: str, *, ready: Callable[[str], None] = lambda _: None, **switches: Any) -> None:
    """Run an emulator until SIGTERM or SIGINT: what the command `emulator` does.

    Args:
        listen: `HOST:PORT`; an IPv6 host stands in brackets.
        ready: told the address as soon as it listens.
        switches: what `Emulator` takes.

    Raises:
        ValueError: `listen` is not an address.
        OSError: the address is taken or not ours.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ValueError("an address is HOST:PORT, such as 127.0.0.1:8090")
    emulator = Emulator(**switches)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    await emulator.start(host.strip("[]"), int(port))
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        ready(emulator.address)
        await stop.wait()
    finally:
        await emulator.stop()


def _respond(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, headers=dict(answer.headers), content_type="application/json"
    )


def _faulty(fault: Fault) -> Answer:
    status = fault.status or 200
    headers = []
    if fault.retry_after is not None:
        headers.append(
            (
                "Retry-After",
                f"{fault.retry_after:g}" if not isinstance(fault.retry_after, str) else fault.retry_after,
            )
        )
    if fault.location is not None:
        headers.append(("Location", fault.location))
    if fault.body is not None:
        return Answer(status, fault.body.encode(), tuple(headers))
    body = (
        b"{}" if status < 300 else orjson.dumps({"meta": {"errors": fault.errors or ["a fault on request"]}})
    )
    return Answer(status, body, tuple(headers))


def _reset(request: web.Request) -> web.StreamResponse:
    """Cut the connection with RST: with a linger of zero the kernel sends nothing else."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)  # nobody is left to read it


async def _truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "64", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"meta":')
    if request.transport is not None:
        request.transport.close()
    return response
