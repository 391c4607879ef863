"""The worker's HTTP endpoints: `/livez`, `/readyz`, `/metrics` and the status page (docs/operations.md).

A separate thread serves them, so that they respond while the worker's event loop is blocked. They contain no payloads
and no ids of people, because all data comes from `telemetry`. They are read-only, so there is no authentication; by
default they listen on the loopback address only.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from worker.adapters.http.connections import BACKLOG, Connections
from worker.adapters.http.manual import explained, manual_page
from worker.adapters.http.page import Page, status_page
from worker.settings.values import address
from worker.telemetry.logs import log_exception

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

DRAIN_SECONDS = 1.0
"""How long `close` waits for responses that are being sent; they are small."""

METRICS_SECONDS = 1.0
"""How long a response of `/metrics` is reused: rendering it takes time, and scrapers come every few seconds at most."""

OUT_OF_DESCRIPTORS = {
    "reason": "OUT_OF_FILE_DESCRIPTORS",
    "detail": "the process may open no more files and connections: raise its limit (ulimit -n)",
}


class ListenFailed(Exception):  # noqa: N818 - says what happened
    """The address of `http.listen` cannot be used: it is in use, or does not belong to this machine."""


class HttpServer:
    """Serves the endpoints from `start` to `close`, in a thread.

    The callbacks are called in other threads than the worker's; all except `alive` may block for a moment.

    Args:
        listen: `HOST:PORT`; with port 0 the system chooses one, see `url`.
        ready: returns why the worker is not ready, each as `{"reason": CODE, "detail": sentence}`; empty if it is.
        status: returns the data of the status page, see `Telemetry.status`.
        metrics: returns Prometheus text.
        alive: returns whether the worker's event loop runs; must not block.
    """

    def __init__(
        self,
        listen: str,
        *,
        ready: Callable[[], list[dict[str, Any]]],
        status: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
        alive: Callable[[], bool],
    ) -> None:
        self._listen = listen
        self._ready = ready
        self._status = status
        self._metrics = Cached(metrics, METRICS_SECONDS)
        self._alive = alive
        self._page = status_page()
        self._port: int | None = None
        self._thread: threading.Thread | None = None
        self._connections: Connections
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event

    @property
    def url(self) -> str:
        """The base URL, with the port that is actually used."""
        host, port = address(self._listen)
        port = self._port or port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Start listening. Raises `ListenFailed`, with a message that names the address."""
        listening: concurrent.futures.Future[None] = concurrent.futures.Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="http", daemon=True
        )
        thread.start()
        try:
            await asyncio.wrap_future(listening)
        except ListenFailed:
            await asyncio.to_thread(thread.join)
            raise
        self._thread = thread

    async def close(self) -> None:
        """Stop listening and close every connection. Idempotent."""
        thread, self._thread = self._thread, None
        if thread:
            self._loop.call_soon_threadsafe(self._closing.set)
            await asyncio.to_thread(thread.join)

    # Everything below runs in the thread.

    async def _serve(self, listening: concurrent.futures.Future[None]) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._app(), access_log=None, handle_signals=False, shutdown_timeout=DRAIN_SECONDS
        )
        await runner.setup()
        assert runner.server is not None, "it is set up"
        self._connections = Connections(runner.server)
        host, port = address(self._listen)
        try:
            server = await self._loop.create_server(self._connections, host, port, backlog=BACKLOG)
        except OSError as error:
            await runner.cleanup()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
            listening.set_exception(ListenFailed(f"http.listen: cannot listen on {self._listen}: {why}"))
            return
        self._port = server.sockets[0].getsockname()[1]
        listening.set_result(None)
        closing_idle = asyncio.create_task(self._connections.close_idle())
        await self._closing.wait()
        closing_idle.cancel()
        server.close()
        await runner.cleanup()
        self._connections.release()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._track, _errors_as_json])
        app.on_response_prepare.append(self._add_headers)
        app.router.add_get("/", self._get_page)
        app.router.add_get("/status.json", self._get_status)
        app.router.add_get("/docs/{name}", self._get_manual)
        app.router.add_get("/livez", self._get_livez)
        app.router.add_get("/readyz", self._get_readyz)
        app.router.add_get("/metrics", self._get_metrics)
        return app

    @web.middleware
    async def _track(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        with self._connections.used(request):
            return await handler(request)

    async def _reasons(self) -> list[dict[str, Any]]:
        reasons = await asyncio.to_thread(self._ready)
        return [*reasons, OUT_OF_DESCRIPTORS] if self._connections.are_out_of_descriptors else reasons

    async def _get_page(self, _: web.Request) -> web.Response:
        return _html(self._page)

    async def _get_manual(self, request: web.Request) -> web.Response:
        page = await asyncio.to_thread(manual_page, request.match_info["name"])
        if page is None:
            raise web.HTTPNotFound
        return _html(page)

    async def _get_status(self, _: web.Request) -> web.Response:
        status = await asyncio.to_thread(self._status)
        reasons = await self._reasons()
        codes = {*status["totals"]["dead_letters"], *status["totals"]["holds"], status["hold"]}
        runbook = explained(codes | {each["reason"] for each in reasons})
        return _json({**status, "reasons": reasons, "runbook": runbook})

    async def _get_livez(self, _: web.Request) -> web.Response:
        alive = self._alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def _get_readyz(self, _: web.Request) -> web.Response:
        reasons = await self._reasons()
        return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def _get_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(self._metrics), headers={"Content-Type": PROMETHEUS})

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "customerio-pipelines-worker"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


class Cached:
    """Caches a response for a while, for any number of clients.

    Args:
        make: creates the response.
        seconds: how long it is reused.
    """

    def __init__(self, make: Callable[[], bytes], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._lock = threading.Lock()
        self._made_at = -math.inf
        self._made = b""

    def __call__(self) -> bytes:
        """Return the response; concurrent callers wait for the same one."""
        with self._lock:
            if time.monotonic() - self._made_at >= self._seconds:
                self._made = self._make()
                self._made_at = time.monotonic()
            return self._made


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Return errors as JSON: unknown paths, wrong methods, and failures of an endpoint without their details."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _json({"error": error.reason.lower()}, error.status, allow)
    except Exception as error:  # noqa: BLE001 - a failing endpoint must not stop the server
        log_exception("page_failed", "an HTTP endpoint of the worker failed", error)
        return _json({"error": "internal error, see the log"}, 500)


def _html(page: Page) -> web.Response:
    headers = {"Content-Security-Policy": page.policy}
    return web.Response(body=page.body, content_type="text/html", charset="utf-8", headers=headers)


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS),
        status=status,
        headers=headers,
        content_type="application/json",
    )
