"""The worker's own pages: `/livez`, `/readyz`, `/metrics` and the status page (docs/operations.md).

No payload and no ids of people: everything comes from `telemetry`. Nothing here changes anything, so there
is no authentication; the default address is the machine's own.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

import orjson
from aiohttp import web

from worker.settings.values import address
from worker.telemetry.logs import log_exception

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

DRAIN_SECONDS = 1.0
"""How long `close` waits for answers that are being sent."""


class ListenFailed(Exception):  # noqa: N818 - says what happened
    """The address of `http.listen` cannot be used: it is taken, or not this machine's."""


class HttpServer:
    """Serves the pages from `start` to `close`.

    Args:
        listen: `HOST:PORT`; with port 0 the system chooses one, see `url`.
        ready: why the worker is not ready, each as `{"reason": CODE, "detail": sentence}`; empty: it is.
        status: what the status page shows, see `Telemetry.status`.
        metrics: Prometheus text.
        alive: whether the loop turns.
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
        self._metrics = metrics
        self._alive = alive
        self._page, self._policy = _page()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the pages are, with the port that was really taken."""
        host, port = address(self._listen)
        if self._runner and self._runner.addresses:
            port = self._runner.addresses[0][1]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Listen. Raises `ListenFailed`, with a sentence for people that names the address."""
        app = web.Application(middlewares=[_errors_as_json])
        app.on_response_prepare.append(self._add_headers)
        app.router.add_get("/", self._get_page)
        app.router.add_get("/status.json", self._get_status)
        app.router.add_get("/livez", self._get_livez)
        app.router.add_get("/readyz", self._get_readyz)
        app.router.add_get("/metrics", self._get_metrics)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=DRAIN_SECONDS)
        await runner.setup()
        host, port = address(self._listen)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
            raise ListenFailed(f"http.listen: cannot listen on {self._listen}: {why}") from error
        self._runner = runner

    async def close(self) -> None:
        """Stop listening and close every connection. Idempotent."""
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    async def _get_page(self, _: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": self._policy}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)

    async def _get_status(self, _: web.Request) -> web.Response:
        return _json({**self._status(), "reasons": self._ready()})

    async def _get_livez(self, _: web.Request) -> web.Response:
        alive = self._alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def _get_readyz(self, _: web.Request) -> web.Response:
        reasons = self._ready()
        return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def _get_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": PROMETHEUS})

    async def _add_headers(self, _: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "customerio-pipelines-worker"
        headers["Cache-Control"] = "no-store"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Unknown paths, wrong methods and our own faults: one JSON object each, with no more than it takes."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _json({"error": error.reason.lower()}, error.status, allow)
    except Exception as error:  # noqa: BLE001 - a page that fails must not look like a worker that fails
        log_exception("page_failed", "a page of the worker's own failed", error)
        return _json({"error": "this page failed; the log says where"}, 500)


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def _page() -> tuple[bytes, str]:
    """The status page and its content security policy: its own style, its own script, our own data."""
    page = resources.files("worker.adapters.http").joinpath("status_page.html").read_bytes()
    style, script = (_hash_of(tag, page) for tag in (b"style", b"script"))
    policy = (
        f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash_of(tag: bytes, page: bytes) -> str:
    """A policy's source expression for the one inline element of a kind."""
    found = re.search(rb"<%b>(.*?)</%b>" % (tag, tag), page, re.DOTALL)
    assert found, "the status page is a file of ours"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[1]).digest()).decode()}'"
