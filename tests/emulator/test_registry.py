"""The stand-in for a schema registry answers as the Confluent API does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from worker.demo.registry import Disturbance, Registry, running_registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry


async def ask(registry: Registry, path: str, **given: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        method = "POST" if "json" in given else "GET"
        async with session.request(method, registry.address + path, **given) as response:
            return response.status, await response.json(content_type=None)


async def test_a_schema_is_found_by_subject_id_and_guid(registry: Registry) -> None:
    status, added = await ask(registry, "/subjects/orders-value/versions", json={"schema": '"string"'})
    assert (status, added["id"]) == (200, 1)
    assert await ask(registry, "/subjects") == (200, ["orders-value"])
    assert await ask(registry, "/subjects/orders-value/versions") == (200, [1])
    latest = {"subject": "orders-value", "version": 1, "id": 1, "schema": '"string"', "guid": added["guid"]}
    assert await ask(registry, "/subjects/orders-value/versions/latest") == (200, latest)
    assert await ask(registry, "/subjects/orders-value", json={"schema": '"string"'}) == (200, latest)
    for path in ("/schemas/ids/1", f"/schemas/guids/{added['guid']}"):
        assert await ask(registry, path) == (200, {"schema": '"string"', "guid": added["guid"]})


async def test_the_same_schema_has_the_same_id_in_every_subject(registry: Registry) -> None:
    one = registry.register("a-value", "message A {}", "PROTOBUF", [{"name": "b.proto"}])
    assert registry.register("b-value", "message A {}", "PROTOBUF") is one
    assert registry.register("b-value", '"int"') is not one
    _, found = await ask(registry, "/schemas/ids/1")
    assert (found["schemaType"], found["references"]) == ("PROTOBUF", [{"name": "b.proto"}])
    async with aiohttp.ClientSession() as session:
        path = f"/apis/registry/v2/ids/globalIds/{registry.global_id(one)}"
        async with session.get(registry.address + path) as response:
            assert await response.text() == "message A {}"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/schemas/ids/7", 40403),
        ("/subjects/none/versions", 40401),
        ("/subjects/none/versions/latest", 40401),
        ("/subjects/a-value/versions/9", 40402),
        ("/nothing", 404),
    ],
)
async def test_what_is_not_there(registry: Registry, path: str, code: int) -> None:
    registry.register("a-value", '"int"')
    status, found = await ask(registry, path)
    assert (status, found["error_code"]) == (404, code)


async def test_a_schema_can_be_deleted(registry: Registry) -> None:
    registry.forget(registry.register("a-value", '"int"'))
    assert (await ask(registry, "/schemas/ids/1"))[0] == 404
    assert await ask(registry, "/subjects") == (200, [])


async def test_a_login_is_needed_where_one_is_set() -> None:
    with running_registry(login=("me", "secret")) as registry:
        assert (await ask(registry, "/subjects"))[0] == 401
        headers = {"Authorization": aiohttp.encode_basic_auth("me", "secret")}
        assert await ask(registry, "/subjects", headers=headers) == (200, [])


async def test_requests_can_be_disturbed_and_are_kept(registry: Registry) -> None:
    registry.register("a-value", '"int"')
    registry.disturbance = Disturbance(500, b'{"error_code": 50001}', path="/schemas")
    assert await ask(registry, "/schemas/ids/1") == (500, {"error_code": 50001})
    assert await ask(registry, "/subjects") == (200, ["a-value"])
    registry.disturbance = None
    assert (await ask(registry, "/schemas/ids/1"))[0] == 200
    assert registry.requests == ["GET /schemas/ids/1", "GET /subjects", "GET /schemas/ids/1"]
