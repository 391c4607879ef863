"""A running emulator and a client for it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from worker.emulator import Emulator


class Client:
    """Talks to an emulator as a worker would: with a key, in strict mode unless told otherwise."""

    def __init__(self, session: aiohttp.ClientSession, emulator: Emulator) -> None:
        self.session = session
        self.emulator = emulator

    async def send(
        self,
        path: str,
        body: Any,
        *,
        key: str | None = "secret",
        strict: bool = True,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """POST JSON (or bytes as they are); returns the status and the decoded body."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        if strict:
            sent["X-Strict-Mode"] = "1"
        raw: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        async with self.session.post(self.emulator.address + path, headers=sent, **raw) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, path: str) -> Any:
        async with self.session.get(self.emulator.address + path) as response:
            assert response.status == 200
            return await response.json()

    async def until_in_progress(self, count: int) -> None:
        """Wait until the emulator holds so many unanswered requests."""
        while self.emulator.traffic.view()["in_progress"] != count:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)


@pytest.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An emulator on a free port; its switches come by `parametrize(..., indirect=True)`."""
    running = Emulator(**getattr(request, "param", {}))
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, emulator)
