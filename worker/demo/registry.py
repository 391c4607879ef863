"""A stand-in for a schema registry: what the worker and serializers use of the Confluent API, in memory.

It checks no compatibility and no schemas. Beside the Confluent API it answers Apicurio's paths for its own ids, without
references.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import encode_basic_auth, hdrs, web

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True, slots=True)
class Registered:
    """A schema that was registered.

    Attributes:
        id: its number, the same for the same schema in every subject.
        guid: its GUID.
        schema: its text.
        type: `AVRO`, `PROTOBUF` or `JSON`.
        references: as they were given: `{"name": ..., "subject": ..., "version": ...}`.
    """

    id: int
    guid: str
    schema: str
    type: str = "AVRO"
    references: tuple[dict[str, Any], ...] = ()

    def content(self) -> dict[str, Any]:
        """What the API returns of it by its id."""
        found: dict[str, Any] = {"schema": self.schema, "guid": self.guid}
        if self.type != "AVRO":
            found["schemaType"] = self.type
        if self.references:
            found["references"] = list(self.references)
        return found


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What requests get in place of an answer.

    Attributes:
        status: of the response.
        body: of the response.
        content_type: of the response.
        delay: seconds before the response, or the real answer if `status` is None.
        path: only requests whose path begins so are disturbed.
    """

    status: int | None = None
    body: bytes = b"{}"
    content_type: str = CONTENT_TYPE
    delay: float = 0.0
    path: str = "/"


@dataclass(slots=True)
class Registry:
    """A registry on the loopback interface.

    Attributes:
        login: the user name and password that requests need; None for none.
        disturbance: what requests get now; None for real answers.
        requests: the method and path of each request.
    """

    login: tuple[str, str] | None = None
    disturbance: Disturbance | None = None
    requests: list[str] = field(default_factory=list)
    _schemas: list[Registered] = field(default_factory=list)
    _subjects: dict[str, list[Registered]] = field(default_factory=dict)
    _global_ids: dict[int, Registered] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """The base URL, once started."""
        assert self._runner is not None, "the registry is not running"
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @property
    def schemas(self) -> list[Registered]:
        """Every schema, by its id."""
        return list(self._schemas)

    @property
    def subjects(self) -> dict[str, int]:
        """The subjects, each with the number of its versions."""
        return {name: len(versions) for name, versions in self._subjects.items() if versions}

    def register(
        self, subject: str, schema: str, type_: str = "AVRO", references: Sequence[dict[str, Any]] = ()
    ) -> Registered:
        """Add a version to a subject, unless it has this schema."""
        known = (each for each in self._schemas if (each.schema, each.type) == (schema, type_))
        found = next(known, None)
        if found is None:
            number = len(self._schemas) + 1
            found = Registered(number, str(uuid.UUID(int=number)), schema, type_, tuple(references))
            self._schemas.append(found)
        versions = self._subjects.setdefault(subject, [])
        if found not in versions:
            versions.append(found)
            self._global_ids[1000 + len(self._global_ids)] = found
        return found

    def global_id(self, registered: Registered) -> int:
        """Apicurio's global id of a schema's first version."""
        return next(number for number, each in self._global_ids.items() if each == registered)

    def forget(self, registered: Registered) -> None:
        """Delete a schema everywhere, as with `?permanent=true`."""
        self._schemas = [each for each in self._schemas if each != registered]
        self._global_ids = {number: each for number, each in self._global_ids.items() if each != registered}
        for versions in self._subjects.values():
            versions[:] = [each for each in versions if each != registered]

    async def start(self, port: int = 0) -> None:
        """Start listening on 127.0.0.1. With port 0 the system chooses a free port."""
        app = web.Application(middlewares=[self._middleware])
        app.router.add_get("/subjects", self._list)
        app.router.add_post("/subjects/{subject}", self._look_up)
        app.router.add_get("/subjects/{subject}/versions", self._versions)
        app.router.add_post("/subjects/{subject}/versions", self._add)
        app.router.add_get("/subjects/{subject}/versions/{version}", self._version)
        app.router.add_get("/schemas/ids/{id}", self._by_id)
        app.router.add_get("/schemas/guids/{guid}", self._by_guid)
        for kind in ("globalIds", "contentIds"):
            app.router.add_get(f"/apis/registry/v2/ids/{kind}/{{id}}", self._by_apicurio_id)
            app.router.add_get(f"/apis/registry/v2/ids/{kind}/{{id}}/references", self._no_references)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self._runner = runner

    async def stop(self) -> None:
        """Close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        disturbance = self.disturbance
        if disturbance is not None and request.path.startswith(disturbance.path):
            await asyncio.sleep(disturbance.delay)
            if disturbance.status is not None:
                content_type = disturbance.content_type
                return web.Response(
                    status=disturbance.status, body=disturbance.body, content_type=content_type
                )
        if self.login is not None and not self._is_allowed(request):
            return _error(401, 401, "Unauthorized")
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return _error(404, 404, "HTTP 404 Not Found")

    def _is_allowed(self, request: web.Request) -> bool:
        assert self.login is not None
        return request.headers.get(hdrs.AUTHORIZATION) == encode_basic_auth(*self.login)

    async def _list(self, _: web.Request) -> web.Response:
        return _answer(list(self.subjects))

    async def _versions(self, request: web.Request) -> web.Response:
        versions = self._subjects.get(request.match_info["subject"])
        return _answer([*range(1, len(versions) + 1)]) if versions else _no_subject()

    async def _version(self, request: web.Request) -> web.Response:
        subject, version = request.match_info["subject"], request.match_info["version"]
        versions = self._subjects.get(subject)
        if not versions:
            return _no_subject()
        number = len(versions) if version == "latest" else int(version) if version.isdigit() else 0
        if not 0 < number <= len(versions):
            return _error(404, 40402, "Version not found.")
        return _answer(_in_subject(subject, number, versions[number - 1]))

    async def _add(self, request: web.Request) -> web.Response:
        given = orjson.loads(await request.read())
        type_, references = given.get("schemaType") or "AVRO", given.get("references") or ()
        found = self.register(request.match_info["subject"], given["schema"], type_, references)
        return _answer({"id": found.id, **found.content()})

    async def _look_up(self, request: web.Request) -> web.Response:
        given, subject = orjson.loads(await request.read()), request.match_info["subject"]
        for number, each in enumerate(self._subjects.get(subject, ()), 1):
            if each.schema == given["schema"]:
                return _answer(_in_subject(subject, number, each))
        return _error(404, 40403, "Schema not found")

    async def _by_id(self, request: web.Request) -> web.Response:
        return _found(each for each in self._schemas if str(each.id) == request.match_info["id"])

    async def _by_guid(self, request: web.Request) -> web.Response:
        return _found(each for each in self._schemas if each.guid == request.match_info["guid"])

    async def _by_apicurio_id(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        by_id = (
            {each.id: each for each in self._schemas} if "contentIds" in request.path else self._global_ids
        )
        found = by_id.get(number)
        if found is None:
            return _answer({"error_code": 404, "name": "ArtifactNotFoundException"}, 404)
        return web.Response(body=found.schema.encode(), headers={"X-Registry-ArtifactType": found.type})

    async def _no_references(self, _: web.Request) -> web.Response:
        return _answer([])


@contextmanager
def running_registry(**options: Any) -> Iterator[Registry]:
    """A registry that runs in a thread of its own.

    Args:
        options: arguments of `Registry`.
    """
    registry, loop = Registry(**options), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="registry", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(registry.start(), loop).result()
        try:
            yield registry
        finally:
            asyncio.run_coroutine_threadsafe(registry.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _in_subject(subject: str, number: int, registered: Registered) -> dict[str, Any]:
    return {"subject": subject, "version": number, "id": registered.id, **registered.content()}


def _found(schemas: Iterator[Registered]) -> web.Response:
    found = next(schemas, None)
    return _error(404, 40403, "Schema not found") if found is None else _answer(found.content())


def _no_subject() -> web.Response:
    return _error(404, 40401, "Subject not found.")


def _error(status: int, code: int, message: str) -> web.Response:
    return _answer({"error_code": code, "message": message}, status)


def _answer(content: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type=CONTENT_TYPE)
