"""The worker's status page, as a browser shows it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.browser.pages import SHOWN, served
from tests.support.browser import Tab
from tests.support.busy_hour import busy_hour
from worker.programs.supervisor_pages import Children, SupervisorPages
from worker.telemetry.metrics import Observation
from worker.telemetry.telemetry import Telemetry

WIDTHS = {"wide": 1280, "tablet": 768, "phone": 390, "small phone": 320}


@pytest.fixture(scope="module")
def busy() -> Iterator[Telemetry]:
    with busy_hour() as telemetry:
        yield telemetry


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Of a worker that has just started."""
    new = Telemetry()
    yield new
    new.shutdown()


@contextlib.asynccontextmanager
async def shown(
    tab: Tab, telemetry: Telemetry, reasons: list[dict[str, Any]] | None = None, **look: Any
) -> AsyncIterator[str]:
    async with served(telemetry.status, reasons) as url:
        await tab.look(look.pop("width", 1280), 900, **look)
        await tab.go(url)
        await tab.until(SHOWN)
        yield url


async def status_of(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as client, client.get(f"{url}/status.json") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def test_the_page_shows_the_numbers_of_status_json(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy) as url:
        totals = (await status_of(url))["totals"]
        legend = await tab.text("#legend")
        for number in (totals["consumed"], totals["ignored"], sum(totals["dead_letters"].values())):
            assert f"{number:,}" in legend
        assert await tab.text("#lag") == "212records"
        assert await tab.text("#oldest") == "410ms"
        dead = await tab.text("#dead")
        assert all(f"{n}" in dead and reason in dead for reason, n in totals["dead_letters"].items())
        latency = (await status_of(url))["history"]["latency"]["recent"]
        p50, p99 = (math.floor(latency[name] * 1000 + 0.5) for name in ("p50", "p99"))
        assert await tab.text("#latency") == f"{p50}ms"
        assert await tab.text("#latency-note") == f"p50; p99 is {p99} ms"


async def test_who_opens_the_page_sees_the_hour_before_with_axes(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy):
        for chart in ("rate", "latency", "freshness", "lag"):
            labels = await tab.value(
                f"[...document.querySelectorAll('#{chart}-chart text')].map((each) => each.textContent)"
            )
            times = [label for label in labels if ":" in label]
            assert len(times) >= 3, chart
            assert len(labels) - len(times) >= 3, chart
            drawn = await tab.value(
                f"[...document.querySelectorAll('#{chart}-chart path.line')].map((each) => each.getBBox().width)"
            )
            width = await tab.value(f"document.querySelector('#{chart}-chart svg').clientWidth")
            assert max(drawn) > width * 0.85, chart


async def test_a_chart_tells_the_values_at_the_pointer(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy):
        newest = await tab.text("#lag-chart figcaption")
        box = await tab.value("document.querySelector('#lag-chart .plot').getBoundingClientRect().toJSON()")
        # The backlog of the outage, 22 to 25 minutes ago.
        place = {"x": box["x"] + 46 + (box["width"] - 50) * 0.62, "y": box["y"] + 50}
        await tab.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        await tab.until("document.querySelector('#lag-chart h2').textContent.includes(' at ')")
        assert await tab.text("#lag-chart figcaption") != newest
        assert int((await tab.text("#lag-chart b")).replace(",", "")) > 10_000


async def test_idle_partitions_are_folded_and_stay_open_once_opened(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy):
        assert await tab.text("#idle") == "21 idle partitions"
        assert "customers" not in await tab.text("#partitions")
        await tab.click("#idle summary")
        assert "customers / 0, 1, 2, 3, 4, 5" in await tab.text("#idle")
        await tab.until("seen.length > 1")
        assert await tab.value("document.getElementById('idle').open")


async def test_ignored_records_are_shown_by_topic_and_rule(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy) as url:
        orders = next(each for each in (await status_of(url))["topics"] if each["topic"] == "orders")
        text = await tab.text("#topics")
        assert f"{int(orders['ignored_share'] * 1000) / 10} %" in text
        assert "mappings/orders.yaml:14" in text
        assert "no rule matched" in text


async def test_each_reason_leads_to_its_section_of_the_runbook(tab: Tab, telemetry: Telemetry) -> None:
    telemetry.dead_letters_written(3, "INVALID_JSON", "orders")
    telemetry.dead_letters_written(2, "HTTP_503", "orders")
    telemetry.dead_letters_written(1, "NO_CONSENT", "orders")
    reasons = [{"reason": "UNAUTHORIZED", "detail": "the API answered 401"}]
    async with shown(tab, telemetry, reasons) as url:
        links = await tab.value(
            "[...document.querySelectorAll('#dead a, #notice a')].map((each) => each.href)"
        )
        assert [link.partition("#")[2] for link in links] == [
            "unauthorized",
            "invalid_json",
            "http_5xx",
            "runbook",
        ]
        for link in links:
            assert link.startswith(f"{url}/docs/operations.md#")
            await tab.go(link)
            assert await tab.value("document.querySelector(':target') !== null"), link


async def test_a_new_worker_has_a_page_too(tab: Tab, telemetry: Telemetry) -> None:
    async with shown(tab, telemetry):
        assert await tab.text("#state") == "ready, no partitions"
        assert await tab.text("#latency-note") == "no requests for 5 min"
        assert await tab.value("document.getElementById('idle').hidden")


async def test_a_supervisor_without_an_answer_of_its_processes_has_a_page_too(tab: Tab) -> None:
    status = SupervisorPages(Children(2), max_poll_interval=300)._status
    async with served(lambda: status) as url:
        await tab.look(1280, 900)
        await tab.go(url)
        await tab.until(SHOWN)
        place = await tab.value("document.querySelector('#lag-chart .plot').getBoundingClientRect().toJSON()")
        await tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=place["x"] + 200, y=place["y"] + 50)
        assert await tab.text("#lag-chart b") == "\u2013"


async def test_a_hold_is_shown_with_its_reason(tab: Tab, telemetry: Telemetry) -> None:
    telemetry.observe(lambda: Observation(hold="UNAUTHORIZED", lag={("orders", 0): 3}))
    async with shown(tab, telemetry, [{"reason": "UNAUTHORIZED", "detail": "nothing is delivered"}]):
        assert await tab.text("#state") == "on hold"
        assert "UNAUTHORIZED" in await tab.text("#notice")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", WIDTHS)
async def test_nothing_is_cut_at_any_width(tab: Tab, busy: Telemetry, size: str, *, dark: bool) -> None:
    async with shown(tab, busy, width=WIDTHS[size], dark=dark, phone="phone" in size) as url:
        assert await tab.overflow() == 0
        ground = await tab.value("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(16, 22, 21)") is dark
        await tab.go(f"{url}/docs/operations.md")
        assert await tab.overflow() == 0


async def test_a_phone_shows_the_numbers_before_the_charts(tab: Tab, busy: Telemetry) -> None:
    async with shown(tab, busy, width=390, phone=True):
        top = "document.querySelector('{}').getBoundingClientRect()"
        assert await tab.value(top.format(".tiles") + ".bottom") < await tab.value(
            top.format(".charts") + ".top"
        )
        assert await tab.value(top.format(".tiles") + ".bottom") < 844, "on the first screen"
