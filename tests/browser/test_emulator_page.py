"""The emulator's page, as a browser shows it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.browser import Tab
from worker.core.message_id import MessageIds
from worker.emulator import Emulator

OLD, NOW = "2020-01-01T00:00:00.000Z", "2026-11-21T10:00:00.000Z"
COORDINATES = MessageIds("c").for_record(1_790_000_000_000, "orders", 3, 77, "track", "Signed Up", 0)
NASTY = "<img src=x onerror=alert(1)>"
RECORD = {
    "topic": "orders",
    "partition": 3,
    "offset": 77,
    "timestamp": NOW,
    "key": NASTY,
    "headers": {"trace": "abc"},
    "value": '{"total": 12345678901234567890, "name": "' + NASTY + '"}',
    "rule": "config/mappings/orders.yaml:14",
    "call": 0,
}


def call(message_id: str, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": message_id} | fields


CALLS = [
    call("m1"),
    call("m2", timestamp=OLD, userId="a-person-with-a-very-long-identifier-" * 4),
    {"type": "track", "event": "User Deleted", "userId": "u2", "messageId": "m3"},
    call(COORDINATES, event=NASTY, userId="u3"),
    {"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com"}, "messageId": "m4"},
]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An emulator with some calls."""
    running = Emulator()
    await running.start()
    headers = {"Authorization": f"Basic {base64.b64encode(b'key:').decode()}"}
    async with aiohttp.ClientSession(running.address, headers=headers) as client:
        for each in (*CALLS, CALLS[0]):
            async with client.post("/v1/batch", json={"batch": [each]}) as response:
                assert response.status == 200
    yield running
    await running.stop()


async def opened(tab: Tab, emulator: Emulator, width: int = 1280, *, dark: bool = False) -> None:
    await tab.look(width, 900, dark=dark, phone=width < 500)
    await tab.go(emulator.address)
    await tab.until("document.querySelectorAll('.call').length === 5")


async def open_call(tab: Tab, text: str) -> None:
    """Open the call whose line has this text, and wait for its record."""
    line = f"[...document.querySelectorAll('.call')].find((each) => each.innerText.includes({text!r}))"
    await tab.value(f"window.opened = {line}, opened.firstElementChild.click()")
    await tab.until("opened.querySelector('.source')?.childElementCount > 1")


async def test_the_record_stands_beside_its_call(tab: Tab, emulator: Emulator) -> None:
    emulator.source_of = {"m3": RECORD}.get
    await opened(tab, emulator)
    await open_call(tab, "User Deleted")
    text = await tab.value("opened.querySelector('.source').innerText")
    for each in ("orders:3:77", NOW, NASTY, "header trace", "abc", "config/mappings/orders.yaml:14"):
        assert each in text
    assert "12345678901234567890" in text, "not rounded"
    places = "opened.querySelectorAll('.sides > div')[{}].getBoundingClientRect()"
    assert await tab.value(f"{places.format(0)}.right <= {places.format(1)}.left")
    assert await tab.value("document.querySelectorAll('img').length") == 0


async def test_without_the_record_the_page_says_what_the_id_says_and_how_to_find_it(
    tab: Tab, emulator: Emulator
) -> None:
    await opened(tab, emulator)
    await open_call(tab, "u3")
    text = await tab.value("opened.querySelector('.source').innerText")
    assert "77" in text
    assert "2026-09-21T14:13:20.000Z" in text
    assert f"pipelines-worker trace --message-id {COORDINATES}" in text
    await open_call(tab, "User Deleted")
    assert "pipelines-worker trace --message-id m3" in await tab.value("opened.innerText")


async def test_the_words_are_explained(tab: Tab, emulator: Emulator) -> None:
    await opened(tab, emulator)
    await tab.click("#words summary")
    explained = await tab.text("#words dl")
    shown = await tab.value("[...document.querySelectorAll('#counts dt')].map((each) => each.textContent)")
    for word in ("busiest 3 s", "active faults", "without effect"):
        assert word in shown
        assert word in explained
    for word in ("duplicate", "destructive", "notice", "refused"):
        assert word in explained


async def test_calls_without_effect_can_be_chosen_and_say_why(tab: Tab, emulator: Emulator) -> None:
    await opened(tab, emulator)
    await tab.click("#ineffective")
    await tab.until("document.querySelectorAll('.call').length === 1")
    await open_call(tab, "without effect")
    assert "older than 72 hours: started no campaign" in await tab.value("opened.innerText")


async def test_people_can_be_chosen_on_a_phone(tab: Tab, emulator: Emulator) -> None:
    await opened(tab, emulator, 390)
    assert await tab.value("getComputedStyle(document.getElementById('people')).display") != "none"
    await tab.value(
        "[...document.querySelectorAll('.person')].find((each) => each.innerText.includes('u2')).click()"
    )
    await tab.until("document.querySelectorAll('.call').length === 1")
    assert "User Deleted" in await tab.text("#calls")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 900, 768, 390, 320])
async def test_nothing_is_cut_at_any_width(tab: Tab, emulator: Emulator, width: int, *, dark: bool) -> None:
    emulator.source_of = {"m3": RECORD}.get
    await opened(tab, emulator, width, dark=dark)
    await open_call(tab, "User Deleted")
    assert await tab.overflow() == 0
    edges = "[...document.querySelectorAll('.tag')].map((each) => each.getBoundingClientRect().right)"
    assert max(await tab.value(edges)) <= width
    ground = await tab.value("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(20, 21, 23)") is dark
