"""A real browser, driven over its own protocol (Chrome DevTools): no driver program, no further package."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import NO_BROWSER

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # which needs rights that a container lacks; only pages of this machine are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
    "about:blank",
)

SECONDS = 30
"""How long a page may take to show what is waited for; a machine may be busy."""


def program() -> str:
    """The path of a browser. Without one the test is skipped; with CI=true it fails."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        message = f"{NO_BROWSER}: install Chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """A browser with a profile in `folder`; yields the URL of its protocol."""
    command = [program(), f"--user-data-dir={folder}", *OPTIONS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            yield _url(process.stderr)
        finally:
            process.terminate()


def _url(stderr: Any) -> str:
    said = []
    for line in stderr:
        said.append(line)
        if found := re.search(r"DevTools listening on (ws://\S+)", line):
            # What it writes later must not fill the pipe.
            threading.Thread(target=stderr.read, daemon=True).start()
            return found[1]
    raise AssertionError("the browser did not start:\n" + "".join(said))


class Tab:
    """An open page.

    Attributes:
        complaints: what the page wrote to its console as warnings or errors, and exceptions that nothing caught.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session: str | None = None
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []

    async def open(self) -> None:
        """Make the tab."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = len(self._answers) + 1
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **session})
        async with asyncio.timeout(SECONDS):
            found = await answer
        assert "error" not in found, f"{method}: {found}"
        result: dict[str, Any] = found["result"]
        return result

    async def listen(self) -> None:
        """Read answers and events, until cancelled."""
        async for message in self._socket:
            data = json.loads(message.data)
            if "id" in data:
                self._answers[data["id"]].set_result(data)
            else:
                self._event(data["method"], data["params"])

    def _event(self, method: str, parameters: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in {"error", "warning", "assert"}:
                self.complaints.append(json.dumps(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(parameters["entry"]["text"])

    async def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Set the size of the window and the colours that the user prefers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def go(self, url: str) -> None:
        """Open an address, and wait until it is loaded."""
        self._loaded.clear()
        navigated = await self.call("Page.navigate", url=url)
        if "loaderId" in navigated:  # not just another place on the same page
            async with asyncio.timeout(SECONDS):
                await self._loaded.wait()

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression, as JSON; of a promise what it resolves to."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        look = f"() => ({expression}) ? done() : setTimeout(look, 30)"
        await self.value(f"new Promise((done) => {{ const look = {look}; look(); }})")

    async def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(await self.value(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def click(self, selector: str) -> None:
        """Click an element."""
        await self.value(f"document.querySelector({json.dumps(selector)}).click()")

    async def picture(self) -> bytes:
        """The window as a PNG."""
        found = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(found["data"])

    async def overflow(self) -> int:
        """How many pixels the page can be scrolled to the right."""
        page = "document.scrollingElement"
        return int(await self.value(f"{page}.scrollWidth - {page}.clientWidth"))


@contextlib.asynccontextmanager
async def tab(url: str) -> AsyncIterator[Tab]:
    """A tab of a running browser."""
    async with aiohttp.ClientSession() as client, client.ws_connect(url, max_msg_size=0) as socket:
        opened = Tab(socket)
        listening = asyncio.create_task(opened.listen())
        try:
            await opened.open()
            yield opened
            await opened.call("Page.close")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
