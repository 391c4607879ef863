"""The README's pictures. `make screenshots` writes them anew; every run takes them, so that this keeps working."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.pages import SHOWN, served
from tests.support.browser import Tab
from tests.support.busy_hour import busy_hour

pytestmark = pytest.mark.slow

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 200_000
SIZE = 1280, 1000
ORDER = "[...document.querySelectorAll('.call')].find((each) => each.innerText.includes('Order Completed'))"
"""The newest completed order on the emulator's page, in JavaScript."""

COLOURS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def name_of(page: str, *, dark: bool) -> str:
    return f"{page}-{'dark' if dark else 'light'}.png"


def keep(picture: bytes, page: str, *, dark: bool) -> None:
    """Write the picture where `make screenshots` says."""
    assert size_of(picture) == SIZE
    assert 20_000 < len(picture) < MOST_BYTES, "an empty page is smaller"
    if folder := os.environ.get("SCREENSHOTS"):
        (Path(folder) / name_of(page, dark=dark)).write_bytes(picture)


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@COLOURS
async def test_the_status_page(tab: Tab, *, dark: bool) -> None:
    with busy_hour() as telemetry:
        status = telemetry.status()
        status["now"] = status["history"]["at"][-1]  # when the hour ended
    async with served(lambda: status) as url:
        await tab.look(*SIZE, dark=dark)
        await tab.go(url)
        await tab.until(SHOWN)
        keep(await tab.picture(), "status", dark=dark)


@pytest.mark.slow
async def test_the_pages_of_the_demo(tab: Tab, tmp_path: Path) -> None:
    async with demo(tmp_path) as (emulator, worker):
        await tab.look(*SIZE)
        await tab.go(emulator)
        await tab.until("document.querySelectorAll('.call').length > 100")
        await tab.value(f"window.opened = {ORDER}, opened.firstElementChild.click()")
        await tab.until("opened.querySelector('.facts') !== null")
        source = await tab.value("opened.querySelector('.source').innerText")
        assert "orders:" in source
        assert '"order.completed"' in source
        for dark in (False, True):
            await tab.look(*SIZE, dark=dark)
            await tab.value("opened.scrollIntoView()")
            keep(await tab.picture(), "emulator", dark=dark)
        await tab.go(worker)
        await tab.until("document.querySelectorAll('#rate-chart path.line').length === 2")
        assert "INVALID_JSON" in await tab.text("#dead")
        assert "no rule matched" in await tab.text("#topics")
        await tab.go("about:blank")  # or the page would look for a worker that is gone


@contextlib.asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[list[str]]:
    """A demo that has delivered its events; yields the URLs of its emulator and its worker."""
    command = [sys.executable, "-m", "worker", "demo"]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=PIPE, stdout=DEVNULL)
    assert process.stderr is not None
    try:
        said = await process.stderr.readuntil(b"until Ctrl-C")
        yield [url.decode() for url in re.findall(rb"http://\S+", said)[:2]]
    finally:
        process.send_signal(signal.SIGINT)
        await process.stderr.read()
        await process.wait()


@COLOURS
@pytest.mark.parametrize("page", ["status", "emulator"])
def test_the_readme_s_pictures_are_there_and_small(page: str, *, dark: bool) -> None:
    picture = (IMAGES / name_of(page, dark=dark)).read_bytes()
    assert size_of(picture) == SIZE
    assert len(picture) < MOST_BYTES
