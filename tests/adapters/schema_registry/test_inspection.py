"""The schema registry in `check --connect`: whether it responds and accepts the login."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.http_faults import Answer, faulty_server, reply
from worker.adapters.findings import Finding
from worker.adapters.schema_registry.inspection import look_at_registry
from worker.settings import Settings

PASSWORD = "s3cret"


async def look(*script: Answer, **keys: Any) -> tuple[Finding, list[Any]]:
    async with faulty_server(*script) as server:
        settings = Settings.model_validate(
            {"schema_registry": {"url": f"{server.url}/apis/ccompat/v7", **keys}}
        )
        return await look_at_registry(settings), server.requests


async def test_a_registry_that_responds_is_shown_with_its_address() -> None:
    found, (request,) = await look(reply(200, b"[]"))
    assert found.problems == ()
    assert found.text.endswith("/apis/ccompat/v7 responds")
    assert (request.method, request.target) == ("GET", "/apis/ccompat/v7/subjects")
    assert "authorization" not in request.headers


async def test_the_login_is_sent_and_its_refusal_is_at_the_password() -> None:
    found, (request,) = await look(reply(401), username="me", password=PASSWORD)
    assert request.headers["authorization"] == "Basic bWU6czNjcmV0"
    (problem,) = found.problems
    assert problem.message == "schema_registry.password: the registry rejects the login (401)"
    assert PASSWORD not in str(problem)


@pytest.mark.parametrize(
    "answer", [reply(404), reply(302, headers={"Location": "http://127.0.0.1:1/"}), reply(500)]
)
async def test_another_server_is_not_a_registry(answer: Answer) -> None:
    found, _ = await look(answer)
    (problem,) = found.problems
    assert "schema_registry.url: the response is not from a schema registry" in problem.message


async def test_a_registry_that_is_away_or_not_configured() -> None:
    away = Settings.model_validate({"schema_registry": {"url": "http://127.0.0.1:1"}})
    (problem,) = (await look_at_registry(away)).problems
    assert problem.message == "schema_registry.url: no response from http://127.0.0.1:1: connection"
    assert (await look_at_registry(Settings())).text == "none is configured"


async def test_a_file_of_authorities_that_does_not_exist_is_named() -> None:
    settings = Settings.model_validate(
        {"schema_registry": {"url": "https://127.0.0.1:1", "ca_file": "/no/ca.pem"}}
    )
    (problem,) = (await look_at_registry(settings)).problems
    assert problem.message.startswith("schema_registry.ca_file: ")
