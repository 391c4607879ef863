"""The worker's own pages, asked over a real socket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from worker.adapters.http.server import PROMETHEUS, HttpServer, ListenFailed
from worker.telemetry.telemetry import Observation, Telemetry

HELD = {"reason": "UNAUTHORIZED", "detail": "the API answered 401"}
PATHS = ["/", "/status.json", "/livez", "/readyz", "/metrics"]


class Worker:
    """What the pages ask about."""

    def __init__(self) -> None:
        self.reasons: list[dict[str, Any]] = []
        self.alive = True
        self.telemetry = Telemetry()

    def server(self, listen: str = "127.0.0.1:0") -> HttpServer:
        return HttpServer(
            listen,
            ready=lambda: self.reasons,
            status=self.telemetry.status,
            metrics=self.telemetry.prometheus,
            alive=lambda: self.alive,
        )


@contextlib.asynccontextmanager
async def pages(worker: Worker) -> AsyncIterator[aiohttp.ClientSession]:
    server = worker.server()
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as session:
            yield session
    finally:
        await server.close()
        worker.telemetry.shutdown()


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with session.get(path) as answer:
        return answer.status, await answer.json()


async def test_livez_says_whether_the_loop_turns() -> None:
    worker = Worker()
    async with pages(worker) as session:
        assert await get(session, "/livez") == (200, {"alive": True})
        worker.alive = False
        assert await get(session, "/livez") == (503, {"alive": False})


async def test_readyz_gives_every_reason_and_is_ready_without_any() -> None:
    worker = Worker()
    async with pages(worker) as session:
        assert await get(session, "/readyz") == (200, {"ready": True, "reasons": []})
        worker.reasons = [HELD]
        assert await get(session, "/readyz") == (503, {"ready": False, "reasons": [HELD]})


async def test_metrics_are_prometheus_text() -> None:
    worker = Worker()
    worker.telemetry.records_consumed(3, "orders")
    async with pages(worker) as session, session.get("/metrics") as answer:
        text = await answer.text()

    assert answer.headers["Content-Type"] == PROMETHEUS
    assert 'pipelines_worker_records_consumed_total{topic="orders"} 3.0' in text


async def test_status_json_holds_what_the_page_shows() -> None:
    worker = Worker()
    worker.reasons = [HELD]
    worker.telemetry.calls_delivered(7)
    worker.telemetry.observe(lambda: Observation(lag={("orders", 1): 5}, hold="UNAUTHORIZED"))
    async with pages(worker) as session:
        _, status = await get(session, "/status.json")

    assert status["totals"]["delivered"] == 7
    assert status["hold"] == "UNAUTHORIZED"
    assert status["reasons"] == [HELD]
    assert status["partitions"] == [{"topic": "orders", "partition": 1, "lag": 5, "oldest_undelivered": 0.0}]


async def test_the_page_reads_only_what_status_json_has() -> None:
    worker = Worker()
    async with pages(worker) as session:
        _, status = await get(session, "/status.json")
        page = await (await session.get("/")).text()

    assert set(re.findall(r"\bstatus\.(\w+)", page)) - {"json"} <= status.keys()
    assert set(re.findall(r"\btotals\.(\w+)", page)) <= status["totals"].keys()


async def test_the_page_needs_nothing_from_elsewhere_and_its_policy_allows_nothing_else() -> None:
    async with pages(Worker()) as session, session.get("/") as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]

    assert answer.content_type == "text/html"
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "innerHTML" not in page
    for tag in ("style", "script"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        hashed = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert len(inline) == 1
        assert f"{tag}-src 'sha256-{hashed}'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("path", PATHS)
async def test_every_page_can_be_asked_for_its_head(path: str) -> None:
    async with pages(Worker()) as session, session.head(path) as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_no_response_may_be_cached_sniffed_or_framed_or_names_the_software(path: str) -> None:
    async with pages(Worker()) as session, session.get(path) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "aiohttp" not in answer.headers["Server"].lower()


async def test_an_unknown_path_is_404_in_json() -> None:
    async with pages(Worker()) as session:
        assert await get(session, "/nothing") == (404, {"error": "not found"})


async def test_other_methods_are_405_in_json() -> None:
    async with pages(Worker()) as session, session.post("/readyz", data=b"x") as answer:
        assert (answer.status, await answer.json()) == (405, {"error": "method not allowed"})
        assert answer.headers["Allow"] == "GET,HEAD"


async def test_a_page_that_fails_is_500_without_the_exceptions_text(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker()

    def fail() -> dict[str, Any]:
        raise ValueError("cust-1")

    server = HttpServer("127.0.0.1:0", ready=list, status=fail, metrics=bytes, alive=lambda: True)
    await server.start()
    async with aiohttp.ClientSession(server.url) as session:
        status, answer = await get(session, "/status.json")
    await server.close()
    worker.telemetry.shutdown()

    assert status == 500
    assert "cust-1" not in json.dumps(answer)
    assert [record.getMessage() for record in caplog.records] == ["an HTTP endpoint of the worker failed"]


async def test_a_port_in_use_is_reported_with_its_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            ListenFailed, match=rf"^http\.listen: cannot listen on {listen}: Address already in use$"
        ):
            await Worker().server(listen).start()


async def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(ListenFailed, match=r"192\.0\.2\.1:8080"):
        await Worker().server("192.0.2.1:8080").start()


async def test_closing_twice_or_without_a_start_is_harmless() -> None:
    server = Worker().server()
    await server.close()
    await server.start()
    await server.close()
    await server.close()
