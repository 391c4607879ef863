"""Limits connections to the HTTP endpoints, so that they do not use up the file descriptors that delivery needs."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

from worker.telemetry.logs import log_exception

IDLE_SECONDS = 10.0
"""A connection without a request for this long is closed. Status pages poll more often, probes reconnect."""

MAX_CONNECTIONS = 64
"""Open connections: far more than a few probes, scrapers and status pages need."""

SHARE_OF_DESCRIPTORS = 4
"""Connections use at most one in this many file descriptors; the others are left for delivery and Kafka."""

BACKLOG = 16
"""Connections that wait to be accepted. asyncio accepts as many in one go, which briefly exceeds the limit above."""

EXHAUSTED_SECONDS = 10.0
"""How long `/readyz` reports missing file descriptors after they were last missing: longer than between two probes."""

CHECK_SECONDS = 1.0
"""How often idle connections are closed."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE}


class Connections:
    """Tracks the connections of one server, and closes idle ones and those over the limit.

    All methods must be called on the server's event loop.
    """

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._most = max(1, min(MAX_CONNECTIONS, _descriptors() // SHARE_OF_DESCRIPTORS))
        self._loop = asyncio.get_running_loop()
        self._used_at: dict[web.RequestHandler, float] = {}
        self._busy: set[web.RequestHandler] = set()
        self._exhausted_at: float | None = None
        self._spare: int | None = None
        self._loop.set_exception_handler(self._on_exception)

    def __call__(self) -> web.RequestHandler:
        """Create the protocol of an accepted connection. If there are too many, close the one idle for longest."""
        while len(self._used_at) >= self._most:
            self._close(min(self._used_at, key=lambda each: (each in self._busy, self._used_at[each])))
        connection = self._server()
        self._used_at[connection] = self._loop.time()
        return connection

    @contextmanager
    def used(self, request: web.Request) -> Iterator[None]:
        """While a request is being served, its connection is not idle."""
        connection = request.protocol
        self._used_at[connection] = self._loop.time()
        self._busy.add(connection)
        try:
            yield
        finally:
            self._busy.discard(connection)
            if connection in self._used_at:
                self._used_at[connection] = self._loop.time()

    @property
    def are_out_of_descriptors(self) -> bool:
        """Whether the process has run out of file descriptors now or recently."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            self._noticed(error)
        since = self._exhausted_at
        return since is not None and self._loop.time() - since < EXHAUSTED_SECONDS

    async def close_idle(self) -> None:
        """Close idle connections, until cancelled."""
        while True:
            self._take_spare()
            now = self._loop.time()
            known = set(self._server.connections)
            for connection, used_at in list(self._used_at.items()):
                if connection in self._busy or now - used_at < IDLE_SECONDS:
                    continue
                self._close(connection)
            for connection in self._used_at.keys() - known:
                # The client has closed it, or accepting it failed. A new one may not be in `connections` yet.
                if now - self._used_at[connection] > CHECK_SECONDS:
                    del self._used_at[connection]
            await asyncio.sleep(CHECK_SECONDS)

    def release(self) -> None:
        """Close the spare descriptor."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _close(self, connection: web.RequestHandler) -> None:
        self._used_at.pop(connection, None)
        self._busy.discard(connection)
        connection.force_close()

    def _take_spare(self) -> None:
        """Reserve a descriptor: once all others are in use it is released for the probe that asks why."""
        if self._spare is None:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY)
            except OSError as error:
                self._noticed(error)

    def _noticed(self, error: OSError) -> None:
        if error.errno in _EXHAUSTED:
            self._exhausted_at = self._loop.time()

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Called by asyncio when it cannot accept a connection; it tries again after a second."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _EXHAUSTED:
            self._noticed(error)
            self.release()
        elif isinstance(error, Exception):
            log_exception("page_failed", "an HTTP endpoint of the worker failed", error)
        else:
            loop.default_exception_handler(context)


def _descriptors() -> int:
    """How many file descriptors the process may open (its soft limit)."""
    soft = MAX_CONNECTIONS * SHARE_OF_DESCRIPTORS
    with suppress(OSError, ValueError):
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft >= 0 else MAX_CONNECTIONS * SHARE_OF_DESCRIPTORS
