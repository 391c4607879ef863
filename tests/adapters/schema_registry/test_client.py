"""The client of the schema registry: what it asks, and what each answer means. A stand-in server plays the registry."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.certificates import Authority
from tests.support.http_faults import (
    Answer,
    faulty_server,
    hang_up,
    html,
    redirect,
    reply,
    stall,
    truncated,
    unused_port,
)
from worker.adapters.schema_registry.answers import MAX_BYTES
from worker.adapters.schema_registry.client import SchemaRegistryClient
from worker.formats.schemas import IdKind, NoSchema, Schema, SchemaId
from worker.pipeline.ports import SchemaUnavailable
from worker.settings import Settings

SEVEN = SchemaId(IdKind.CONFLUENT, 7)
GUID = SchemaId(IdKind.GUID, "6f1b6e26-3d4b-4f5e-9d2f-0123456789ab")
CONTENT, GLOBAL = SchemaId(IdKind.CONTENT, 8), SchemaId(IdKind.GLOBAL, 9)
UNKNOWN = reply(404, b'{"error_code": 40403, "message": "Schema not found"}')


def answer(schema: Any, references: Any = None, **more: Any) -> Answer:
    body = {"schema": json.dumps(schema), **({"references": references} if references else {}), **more}
    return reply(200, json.dumps(body).encode())


def reference(name: str, subject: str) -> dict[str, Any]:
    return {"name": name, "subject": subject, "version": 1}


async def fetch(
    *script: Answer, id_: SchemaId = SEVEN, path: str = "/apis/ccompat/v7", **keys: Any
) -> tuple[Schema | NoSchema, list[Any]]:
    async with faulty_server(*script) as server:
        registry = {"url": f"{server.url}{path}", "timeout": "500ms", **keys}
        settings = Settings.model_validate({"schema_registry": registry})
        client = SchemaRegistryClient(settings.schema_registry)
        try:
            return await client.fetch(id_), server.requests
        finally:
            await client.close()


async def test_a_schema_is_asked_for_by_its_id_with_the_login() -> None:
    found, (request,) = await fetch(answer("long"), username="me", password="s3cret")
    assert found == Schema("AVRO", '"long"')
    assert request.target == "/apis/ccompat/v7/schemas/ids/7"
    assert request.headers["authorization"] == "Basic bWU6czNjcmV0"


@pytest.mark.parametrize(
    ("id_", "path", "target"),
    [
        (GUID, "/apis/ccompat/v7", f"/apis/ccompat/v7/schemas/guids/{GUID.value}"),
        (SEVEN, "", "/schemas/ids/7"),
        (SEVEN, "/a/registry/", "/a/registry/schemas/ids/7"),
    ],
)
async def test_the_confluent_api_is_asked_below_the_url(id_: SchemaId, path: str, target: str) -> None:
    _, (request,) = await fetch(answer("long"), id_=id_, path=path)
    assert request.target == target


@pytest.mark.parametrize(
    ("id_", "target"),
    [
        (CONTENT, "/apis/registry/v2/ids/contentIds/8"),
        (GLOBAL, "/apis/registry/v2/ids/globalIds/9"),
    ],
)
async def test_ids_of_apicurio_are_asked_of_its_own_api_and_never_of_the_confluent_path(
    id_: SchemaId, target: str
) -> None:
    found, requests = await fetch(reply(200, b'"long"'), reply(200, b"[]"), id_=id_)
    assert found == Schema("", '"long"')
    assert [each.target for each in requests] == [target, f"{target}/references"]


async def test_references_are_fetched_once_each() -> None:
    money = {"type": "record", "name": "Money", "fields": []}
    found, requests = await fetch(
        answer("Order", [reference("Line", "line"), reference("Money", "money/eur")]),
        answer("Line", [reference("Money", "money/eur")]),
        answer(money),
    )
    assert isinstance(found, Schema)
    line, second = found.references
    assert [each.name for each in found.references] == ["Line", "Money"]
    assert line.schema.references[0].schema is second.schema
    assert [each.target.removeprefix("/apis/ccompat/v7") for each in requests] == [
        "/schemas/ids/7",
        "/subjects/line/versions/1",
        "/subjects/money%2Feur/versions/1",
    ]


async def test_references_that_lead_back_are_noticed() -> None:
    found, _ = await fetch(
        answer("A", [reference("B", "b")]),
        answer("B", [reference("C", "c")]),
        answer("C", [reference("B", "b")]),
    )
    assert found == NoSchema("The schema refers to itself by way of others.", unknown=False)


@pytest.mark.parametrize("code", [40401, 40402, 40403])
async def test_what_the_registry_does_not_know_is_final(code: int) -> None:
    found, _ = await fetch(reply(404, json.dumps({"error_code": code}).encode()))
    assert found == NoSchema("The schema registry does not know the schema with the id 7.")


async def test_a_reference_that_was_deleted_is_final() -> None:
    found, _ = await fetch(answer("A", [reference("B", "b")]), UNKNOWN)
    assert isinstance(found, NoSchema)
    assert found.unknown


async def test_apicurios_own_words_for_what_it_does_not_know() -> None:
    found, _ = await fetch(
        reply(404, b'{"name": "ContentNotFoundException", "error_code": 404}'), id_=CONTENT
    )
    assert found == NoSchema("The schema registry does not know the schema with the content id 8.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (reply(401), "the registry rejects the login (401)"),
        (reply(403), "the registry rejects the login (403)"),
    ],
)
async def test_a_login_that_is_refused(script: Answer, said: str) -> None:
    with pytest.raises(SchemaUnavailable, match=said.replace("(", r"\(").replace(")", r"\)")) as raised:
        await fetch(script)
    assert raised.value.unauthorized


@pytest.mark.parametrize(
    "script",
    [
        reply(500),
        reply(503, b'{"error_code": 50301}'),
        reply(404),
        reply(404, b'{"error_code": 0, "message": "no such path"}'),
        html(404),
        html(),
        reply(200, b"[]"),
        reply(200, b'{"schema": 7}'),
        reply(200, b'{"schema": "x", "references": 7}'),
        redirect("http://127.0.0.1:1/"),
        truncated(b'{"schema"', 1000),
        hang_up(),
        stall(),
        reply(200, b" " * (MAX_BYTES + 1)),
    ],
)
async def test_everything_else_is_no_answer_so_that_records_wait(script: Answer) -> None:
    with pytest.raises(SchemaUnavailable) as raised:
        await fetch(script)
    assert not raised.value.unauthorized


async def test_a_registry_that_is_not_there() -> None:
    settings = Settings.model_validate({"schema_registry": {"url": "http://127.0.0.1:1"}})
    client = SchemaRegistryClient(settings.schema_registry)
    with pytest.raises(SchemaUnavailable, match="no response: connection"):
        await client.fetch(SEVEN)
    await client.close()


async def test_a_file_of_authorities_that_cannot_be_read() -> None:
    registry = {"url": "https://127.0.0.1:1", "ca_file": "/no/ca.pem"}
    client = SchemaRegistryClient(Settings.model_validate({"schema_registry": registry}).schema_registry)
    with pytest.raises(SchemaUnavailable):
        await client.fetch(SEVEN)
    await client.close()
    assert "ca.pem" not in repr(client)


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_registry_with_a_certificate_of_an_own_authority(tmp_path: Path, trusted: bool) -> None:  # noqa: FBT001
    ours, others = Authority(tmp_path / "ours", "ours"), Authority(tmp_path / "others", "others")
    key, certificate = ours.issue("registry", host="127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def schema(_: web.Request) -> web.Response:
        return web.json_response({"schema": '"long"'})

    app = web.Application()
    app.router.add_get("/schemas/ids/7", schema)
    runner = web.AppRunner(app)
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    authority = ours if trusted else others
    registry = {"url": f"https://127.0.0.1:{port}", "ca_file": str(authority.certificate)}
    client = SchemaRegistryClient(Settings.model_validate({"schema_registry": registry}).schema_registry)
    try:
        if trusted:
            assert await client.fetch(SEVEN) == Schema("AVRO", '"long"')
        else:
            with pytest.raises(SchemaUnavailable, match="no response: tls"):
                await client.fetch(SEVEN)
    finally:
        await client.close()
        await runner.cleanup()
