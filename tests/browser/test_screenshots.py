"""The README's pictures. `make screenshots` writes them anew; every run takes them, so that this keeps working."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tests.browser.pages import SHOWN, served
from tests.support.browser import Tab
from tests.support.busy_hour import busy_hour

IMAGES = Path(__file__).parents[2] / "docs" / "images"
MOST_BYTES = 200_000
SIZE = 1280, 1000
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


@COLOURS
@pytest.mark.parametrize("page", ["status"])
def test_the_readme_s_pictures_are_there_and_small(page: str, *, dark: bool) -> None:
    picture = (IMAGES / name_of(page, dark=dark)).read_bytes()
    assert size_of(picture) == SIZE
    assert len(picture) < MOST_BYTES
