"""The emulator as an HTTP server: the API's endpoints, the page and injected faults."""

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
from worker.emulator.api import Api, ApiResponse, StrictBatches, error_response
from worker.emulator.faults import Fault, Faults, fault_of_header
from worker.emulator.rate import RateWindow
from worker.emulator.received import Received
from worker.emulator.request_body import ENDPOINTS, parse_body
from worker.emulator.sources import SourceOf, coordinates
from worker.emulator.traffic import Traffic

_MAX_READ_BYTES = 16_000_000
"""The server returns 413 for a larger body. Far above the API's own limit, which is checked after reading."""


class Emulator:
    """A local stand-in for the Customer.io Pipelines API.

    Args:
        key: the only valid API key; None: any key that is not empty is valid.
        strict_batches: what strict mode does with the good calls of a batch that has a bad one.
        enforce_rate_limit: return 429 over 3,000 requests in 3 s, instead of only counting them.
        latency: seconds before each response.
        keep_calls: how many of the latest calls are stored in full.
        keep_bytes: how many bytes of calls are stored at most.
        remember: how many message ids are stored to recognise duplicates.

    Attributes:
        source_of: finds the record of a call for the page; at first from the messageId alone.
    """

    def __init__(  # noqa: PLR0913 - each is an option of the command
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
        self.source_of: SourceOf = coordinates
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
        """The content of `/admin/summary`."""
        return self._admin.summary()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Start listening. With port 0 the system chooses a free port.

        Raises:
            OSError: the address is in use, or not an address of this machine.
        """
        app = web.Application(client_max_size=_MAX_READ_BYTES)
        for endpoint in ENDPOINTS:
            app.router.add_post(f"/v1/{endpoint}", self._receive)
        app.router.add_get("/", self._page)
        app.router.add_get("/admin/source", self._source)
        self._admin.add_routes(app)
        # Without handler_cancellation a stalled request would go on after its client disconnects.
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Close all connections, including stalled ones."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Process one request: read and parse it, inject a fault if one applies, respond."""
        body = await request.read()
        strict = request.headers.get("X-Strict-Mode") == "1"
        at = time.time()
        within_limit = self.rate.arrived(time.monotonic())
        parsed = parse_body(request.path.removeprefix("/v1/"), body, strict=strict)
        calls = [item.call for item in parsed.items if item.call is not None]
        with self.traffic.request(request.path, body, parsed, strict=strict, at=at) as seen:
            try:
                fault = self._fault_of(request, calls)
            except ValueError as error:
                return _respond(error_response(400, [str(error)]))
            seen.fault = fault is not None
            await asyncio.sleep(self._latency + (fault.delay if fault else 0.0))
            if fault and not fault.after and (injected := await self._inject(request, fault)):
                seen.status = fault.status or 0
                return injected
            if self._enforce_rate_limit and not within_limit:
                seen.status = 429
                return _respond(error_response(429, ["too many requests"]))
            response = self._api.handle(parsed, request.headers, strict=strict, at=at, request=seen.number)
            if fault and fault.after and (injected := await self._inject(request, fault)):
                seen.status = fault.status or 0
                return injected
            if fault and fault.body is not None:
                response = ApiResponse(response.status, fault.body.encode())
            seen.status = response.status
            return _respond(response)

    def _fault_of(self, request: web.Request, calls: list[dict[str, Any]]) -> Fault | None:
        header = request.headers.get("X-Emulator-Fault")
        if header is not None:
            return fault_of_header(header)
        return self.faults.next_for(request.path, list(calls))

    async def _inject(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """The fault's response; None if it only delays the real response or replaces its body."""
        if fault.stall:
            await self._stopping.wait()
        if fault.reset or fault.stall:
            return _reset(request)
        if fault.truncate:
            return await _truncate(request)
        if fault.status is None:
            return None
        return _respond(_fault_response(fault))

    async def _source(self, request: web.Request) -> web.Response:
        """The record of the call with this `messageId`."""
        source = await asyncio.to_thread(self.source_of, request.query.get("messageId", ""))
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        body = orjson.dumps({"source": source})
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def _page(self, _: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        page = (resources.files("worker.emulator") / "page.html").read_text("utf-8")
        policy = (
            "default-src 'none'; connect-src 'self'; img-src data:; "
            f"style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'"
        )
        return web.Response(
            text=page.replace("{{nonce}}", nonce),
            content_type="text/html",
            headers={"Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'"},
        )


async def serve(listen: str, *, ready: Callable[[str], None] = lambda _: None, **options: Any) -> None:
    """Run an emulator until SIGTERM or SIGINT, as the command `emulator` does.

    Args:
        listen: `HOST:PORT`; an IPv6 host must be in brackets.
        ready: called with the address when the server listens.
        options: arguments of `Emulator`.

    Raises:
        ValueError: `listen` is not an address.
        OSError: the address is in use, or not an address of this machine.
    """
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ValueError("the address must be HOST:PORT, such as 127.0.0.1:8090")
    emulator = Emulator(**options)
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


def _respond(response: ApiResponse) -> web.Response:
    return web.Response(
        status=response.status,
        body=response.body,
        headers=dict(response.headers),
        content_type="application/json",
    )


def _fault_response(fault: Fault) -> ApiResponse:
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
        return ApiResponse(status, fault.body.encode(), tuple(headers))
    body = b"{}" if status < 300 else orjson.dumps({"meta": {"errors": fault.errors or ["injected fault"]}})
    return ApiResponse(status, body, tuple(headers))


def _reset(request: web.Request) -> web.StreamResponse:
    """Close the connection with a TCP reset: with SO_LINGER at 0 seconds the kernel sends RST and discards the rest."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)  # aiohttp requires a response, but the client is disconnected


async def _truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "64", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"meta":')
    if request.transport is not None:
        request.transport.close()
    return response
