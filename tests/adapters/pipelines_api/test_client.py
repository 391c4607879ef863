"""The API adapter against a real server that misbehaves: every outside error becomes a value, nothing is
sent twice."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import logging
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support import http_faults
from tests.support.http_faults import faulty_server, reply
from worker.adapters.pipelines_api.client import MAX_RESPONSE_BYTES, PipelinesApi
from worker.pipeline.ports import Response
from worker.settings import Pipelines
from worker.telemetry.telemetry import Telemetry

KEY = "s3cret-key-0123456789"
BODY = b'{"batch":[{"type":"track","userId":"cust-1","event":"Order Completed"}]}'


@contextlib.asynccontextmanager
async def pipelines(url: str, telemetry: Telemetry | None = None, **keys: Any) -> AsyncIterator[PipelinesApi]:
    told = telemetry or Telemetry()
    settings_given = {"url": url, "api_key": SecretStr(KEY), "strict": True, "timeout": 5.0, **keys}
    api = PipelinesApi(Pipelines.model_construct(**settings_given), told, "1.2.3")
    try:
        yield api
    finally:
        await api.close()
        told.shutdown()


async def answer_to(*script: http_faults.Answer, **keys: Any) -> Response:
    async with faulty_server(*script) as server, pipelines(server.url, **keys) as api:
        return await api.send(BODY, [], 1)


async def test_a_batch_arrives_byte_for_byte_with_key_strict_mode_and_version() -> None:
    body = BODY + b" " * 475_000
    async with faulty_server(reply()) as server, pipelines(server.url) as api:
        response = await api.send(body, [], 1)

    assert response == Response(status=200)
    [request] = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/v1/batch", body)
    assert request.headers["authorization"] == "Basic czNjcmV0LWtleS0wMTIzNDU2Nzg5Og=="
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(body))
    assert request.headers["x-strict-mode"] == "1"
    assert request.headers["user-agent"] == "customerio-pipelines-worker/1.2.3"
    assert request.headers["accept-encoding"] == "identity"


async def test_permissive_mode_sends_no_strict_header() -> None:
    async with faulty_server(reply()) as server, pipelines(server.url, strict=False) as api:
        await api.send(BODY, [], 1)

    assert "x-strict-mode" not in server.requests[0].headers


async def test_a_base_url_may_have_a_path_and_a_trailing_slash() -> None:
    async with faulty_server(reply()) as server, pipelines(f"{server.url}/gateway/") as api:
        await api.send(BODY, [], 1)

    assert server.requests[0].target == "/gateway/v1/batch"


@pytest.mark.parametrize(
    ("answer", "json"),
    [
        (reply(200, b""), True),
        (reply(204, b""), True),
        (reply(200, b" \r\n"), True),
        (reply(200, b"{}"), True),
        (reply(200, b'{"success": true}'), True),
        (http_faults.chunked([b"{", b"}"]), True),
        (reply(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"}), True),
        (http_faults.html(), False),
        (reply(200, b"OK"), False),
        (reply(200, b'{"meta":'), False),
        (reply(200, b"[" * 20_000), False),
        (reply(200, b"\xff\xfe{}"), False),
        (http_faults.huge(MAX_RESPONSE_BYTES), True),
        (http_faults.huge(MAX_RESPONSE_BYTES + 1), False),
        (http_faults.huge(5_000_000), False),
    ],
)
async def test_the_body_of_a_2xx_shows_whether_the_api_sent_it(
    answer: http_faults.Answer,
    json: bool,  # noqa: FBT001 - a column of the table
) -> None:
    response = await answer_to(answer)

    assert 200 <= response.status < 300
    assert response.json is json
    assert response.failure is None


ANSWERED = [200, 202, 300, 307, 400, 401, 403, 404, 408, 413, 422, 425, 429, 500, 503, 599]


@pytest.mark.parametrize("status", ANSWERED)
async def test_every_status_is_passed_on(status: int) -> None:
    assert await answer_to(reply(status)) == Response(status=status)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (http_faults.stall(), "timeout"),
        (http_faults.stall(b"HTTP/1.1 200"), "timeout"),
        (http_faults.stall_in_body(), "timeout"),
        (http_faults.stall_in_body(400), "timeout"),
        (http_faults.hang_up(), "connection"),
        (http_faults.reset(), "connection"),
        (http_faults.reset(b"HTTP/1.1 20"), "connection"),
        (http_faults.reset_in_body(), "truncated"),
        (http_faults.reset_in_body(400), "truncated"),
        (http_faults.truncated(b'{"meta"', 100), "truncated"),
        (http_faults.truncated(b"", 2), "truncated"),
        (http_faults.chunked([b"{"], cut=True), "truncated"),
        (http_faults.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "protocol"),
        (http_faults.raw(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), "protocol"),
        (http_faults.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "protocol"),
    ],
)
async def test_an_incomplete_response_is_status_0_with_the_error(
    answer: http_faults.Answer, failure: str
) -> None:
    assert await answer_to(answer, timeout=0.3) == Response(status=0, failure=failure)


async def test_a_refused_connection_is_a_value() -> None:
    async with pipelines(f"http://127.0.0.1:{http_faults.unused_port()}") as api:
        assert await api.send(BODY, [], 1) == Response(status=0, failure="connection")


async def test_a_server_that_does_not_speak_tls_is_a_value() -> None:
    async with (
        faulty_server(greeting=b"not tls at all\r\n\r\n") as server,
        pipelines(f"https://127.0.0.1:{server.port}") as api,
    ):
        assert await api.send(BODY, [], 1) == Response(status=0, failure="tls")


async def test_a_name_that_does_not_resolve_is_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    async with pipelines("http://nowhere.invalid") as api:
        assert await api.send(BODY, [], 1) == Response(status=0, failure="dns")


async def test_a_host_that_no_resolver_takes_is_a_value() -> None:
    async with pipelines(f"http://{'a' * 64}.invalid") as api:
        assert (await api.send(BODY, [], 1)).status == 0


BEGINNINGS = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 400 No\r\nContent-Length: 3\r\n"]


@given(st.binary(max_size=200), st.sampled_from(BEGINNINGS))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_bytes_come_back_the_answer_is_a_value(noise: bytes, start: bytes) -> None:
    response = asyncio.run(answer_to(http_faults.raw(start + noise)))

    assert isinstance(response, Response)
    assert 0 <= response.status <= 599
    assert (response.failure is None) == (response.status > 0)


async def test_requests_share_a_connection() -> None:
    async with (
        faulty_server(reply(), reply(400, b'{"meta":{"errors":["no"]}}'), reply()) as server,
        pipelines(server.url) as api,
    ):
        statuses = [(await api.send(BODY, [], 1)).status for _ in range(4)]

    assert statuses == [200, 400, 200, 200]
    assert server.connections == 1


async def test_a_request_on_a_connection_that_dies_is_sent_once_and_its_failure_returned() -> None:
    """Else a batch could be on the wire twice at the same time, and its order with it."""
    async with faulty_server(reply(), http_faults.hang_up(), reply()) as server, pipelines(server.url) as api:
        responses = [await api.send(b'{"batch":[%d]}' % n, [], 1) for n in range(3)]

    assert responses == [Response(200), Response(0, failure="connection"), Response(200)]
    assert [request.body for request in server.requests] == [b'{"batch":[%d]}' % n for n in range(3)]


async def test_a_connection_that_the_server_closed_between_requests_loses_nothing_silently() -> None:
    async with faulty_server(reply(then_closes=True)) as server, pipelines(server.url) as api:
        responses = [await api.send(b'{"batch":[%d]}' % n, [], 1) for n in range(5)]

    delivered = sum(response.status == 200 for response in responses)
    assert delivered == len(server.requests) == len({request.body for request in server.requests})
    assert {response.failure for response in responses} <= {None, "connection"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_reported_and_not_followed(status: int) -> None:
    async with faulty_server(reply()) as elsewhere:
        response = await answer_to(http_faults.redirect(f"{elsewhere.url}/v1/batch", status))

    assert response.status == status
    assert elsewhere.requests == []


async def test_cookies_are_not_kept() -> None:
    async with (
        faulty_server(reply(200, b"{}", {"Set-Cookie": "session=1"}), reply()) as server,
        pipelines(server.url) as api,
    ):
        await api.send(BODY, [], 1)
        await api.send(BODY, [], 1)

    assert "cookie" not in server.requests[1].headers


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty_server(reply()) as proxy, faulty_server(reply()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with pipelines(server.url) as api:
            await api.send(BODY, [], 1)

    assert len(server.requests) == 1
    assert proxy.requests == []


async def test_more_requests_than_a_pool_usually_holds_are_in_flight_at_once() -> None:
    everyone = asyncio.Barrier(120)

    async def together(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await everyone.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        return True

    async with faulty_server(together) as server, pipelines(server.url) as api:
        responses = await asyncio.gather(*(api.send(BODY, [], 1) for _ in range(120)))

    assert responses == [Response(200)] * 120


async def test_the_apis_own_words_are_passed_on_without_the_payload() -> None:
    answer = reply(400, b'{"meta":{"errors":["batch[0]: userId \'cust-1\' is invalid","event is required"]}}')

    response = await answer_to(answer)

    assert response.errors == ("batch[0]: userId … is invalid", "event is required")


async def test_retry_after_is_passed_on() -> None:
    assert (await answer_to(reply(429, b"", {"Retry-After": "7"}))).retry_after == 7.0


async def test_the_key_is_in_no_repr_log_or_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = "czNjcmV0LWtleS0wMTIzNDU2Nzg5Og"
    echo = f'{{"meta":{{"errors":["bad key {KEY}", "Basic {credentials}=="]}}}}'.encode()
    async with faulty_server(reply(401, echo)) as server, pipelines(server.url) as api:
        response = await api.send(BODY, [], 1)
        shown = [repr(api), str(api), repr(response), caplog.text]
    async with pipelines(f"http://127.0.0.1:{http_faults.unused_port()}") as api:
        shown += [repr(await api.send(BODY, [], 1)), caplog.text]

    for text in shown:
        assert KEY not in text
        assert credentials not in text
        assert "s3cret" not in text


async def test_every_request_is_counted_by_its_outcome_and_bytes() -> None:
    telemetry = Telemetry()
    async with (
        faulty_server(reply(), reply(503), http_faults.hang_up()) as server,
        pipelines(server.url, telemetry) as api,
    ):
        for _ in range(3):
            await api.send(BODY, [], 1)

    assert telemetry.totals().requests == {"200": 1, "503": 1, "connection": 1}
    assert telemetry.totals().request_bytes == 3 * len(BODY)


def authorization(key: str) -> str:
    return f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"


async def test_a_key_from_a_file_is_read_again_after_each_401(tmp_path: Path) -> None:
    file, telemetry = tmp_path / "key", Telemetry()
    settings = Pipelines(url="http://127.0.0.1:1", api_key="old", strict=True)  # type: ignore[arg-type]  # as read from YAML
    settings.locate_key(file)
    file.write_text("old\n")
    async with faulty_server(*[reply(401)] * 4, reply()) as server:
        api = PipelinesApi(settings.model_copy(update={"url": server.url}), telemetry)
        await api.send(BODY, [], 1)
        file.write_text("new\n")
        await api.send(BODY, [], 1)
        file.write_text("not a key\n")
        await api.send(BODY, [], 1)
        file.unlink()
        await api.send(BODY, [], 1)
        assert (await api.send(BODY, [], 1)).status == 200
        await api.close()
    telemetry.shutdown()
    used = [request.headers["authorization"] for request in server.requests]
    assert used == [authorization(key) for key in ("old", "old", "new", "new", "new")]


async def test_other_responses_do_not_read_the_key_again(tmp_path: Path) -> None:
    file, telemetry = tmp_path / "key", Telemetry()
    settings = Pipelines(url="http://127.0.0.1:1", api_key="old", strict=True)  # type: ignore[arg-type]  # as read from YAML
    settings.locate_key(file)
    file.write_text("new\n")
    async with faulty_server(reply(403), reply(500), reply()) as server:
        api = PipelinesApi(settings.model_copy(update={"url": server.url}), telemetry)
        for _ in range(3):
            await api.send(BODY, [], 1)
        await api.close()
    telemetry.shutdown()
    assert {request.headers["authorization"] for request in server.requests} == {authorization("old")}


@pytest.mark.parametrize(
    ("date", "ahead"), [("Sat, 28 Nov 2026 09:00:00 GMT", 59.5), ("soon", None), (None, None)]
)
async def test_the_clock_is_compared_with_the_apis(date: str | None, ahead: float | None) -> None:
    async with pipelines("http://127.0.0.1:1") as api:
        assert api.clock_ahead is None
        api._responded = datetime(2026, 11, 28, 9, 1, tzinfo=UTC).timestamp(), date
        assert api.clock_ahead == ahead
