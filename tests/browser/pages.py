"""The worker's pages, served for a browser."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from worker.adapters.http.server import HttpServer

SHOWN = "document.getElementById('state').textContent !== 'loading'"
"""Whether the status page shows its first numbers, in JavaScript."""


@contextlib.asynccontextmanager
async def served(
    status: Callable[[], dict[str, Any]], reasons: list[dict[str, Any]] | None = None
) -> AsyncIterator[str]:
    """The pages of a worker with this status; yields their URL."""
    server = HttpServer(
        "127.0.0.1:0", ready=lambda: reasons or [], status=status, metrics=bytes, alive=lambda: True
    )
    await server.start()
    try:
        yield server.url
    finally:
        await server.close()
