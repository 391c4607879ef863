"""Fetches schemas from a schema registry: Confluent's API, and Apicurio's own for its ids."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from worker.adapters.pipelines_api.client import failure_kind
from worker.adapters.schema_registry.answers import (
    MAX_BYTES,
    Answer,
    InvalidAnswerError,
    confluent_schema,
    is_unknown,
    references_of,
)
from worker.adapters.tls import trusting
from worker.formats.preparing import prepared
from worker.formats.schemas import IdKind, NoSchema, Reference, Schema, SchemaId
from worker.pipeline.ports import SchemaUnavailable
from worker.settings import SchemaRegistry as Settings

MAX_REFERENCES = 1000
"""How many schemas one may refer to, with theirs (this program's own limit)."""

_CCOMPAT = "/apis/ccompat/"
_APICURIO = "/apis/registry/v2"


class _UnusableError(Exception):
    """The registry's final answer is that there is no such schema."""

    def __init__(self, answer: NoSchema) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class SchemaRegistryClient:
    """The worker's `SchemaRegistry`. Construct it where an event loop is running, and `close` it.

    Args:
        settings: `schema_registry` of worker.yaml, with a URL.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.url is not None, "mappings need a registry only where worker.yaml has one"
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._apicurio = self._url.partition(_CCOMPAT)[0] + _APICURIO
        password = settings.password.get_secret_value() if settings.password else ""
        login = aiohttp.encode_basic_auth(settings.username, password) if settings.username else None
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=settings.timeout, sock_connect=None),
            headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json, */*"}
            | ({"Authorization": login} if login else {}),
            trust_env=False,
        )
        self._tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        """The URL; never the password."""
        return f"<SchemaRegistryClient {self._url}>"

    async def fetch(self, id_: SchemaId) -> Schema | NoSchema:
        """The schema with an id, with all that it refers to, or the registry's answer that there is none.

        Raises:
            SchemaUnavailable: the registry does not answer, or refuses the login.
        """
        try:
            schema = await _Fetch(self).schema(id_)
        except _UnusableError as error:
            return error.answer
        try:
            return await asyncio.to_thread(prepared, schema)
        except OSError as error:  # no temporary folder, no memory
            why = error.strerror or type(error).__name__
            raise SchemaUnavailable(f"the schema cannot be compiled: {why}") from None

    async def fetch_version(self, subject: str, version: int) -> Schema | NoSchema:
        """One version of a subject. See `fetch`."""
        try:
            return await _Fetch(self).version(subject, version)
        except _UnusableError as error:
            return error.answer

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def url_of(self, id_: SchemaId) -> str:
        """Where a schema is, by its id."""
        match id_.kind:
            case IdKind.CONFLUENT:
                return f"{self._url}/schemas/ids/{id_.value}"
            case IdKind.GUID:
                return f"{self._url}/schemas/guids/{id_.value}"
            case IdKind.CONTENT:
                return f"{self._apicurio}/ids/contentIds/{id_.value}"
        return f"{self._apicurio}/ids/globalIds/{id_.value}"

    def url_of_reference(self, reference: dict[str, Any], *, apicurio: bool) -> str:
        """Where a schema is that another one refers to."""
        if apicurio:
            group = quote(str(reference.get("groupId") or "default"), safe="")
            artifact = quote(str(reference.get("artifactId")), safe="")
            version = quote(str(reference.get("version")), safe="")
            return f"{self._apicurio}/groups/{group}/artifacts/{artifact}/versions/{version}"
        subject = quote(str(reference.get("subject")), safe="")
        return f"{self._url}/subjects/{subject}/versions/{quote(str(reference.get('version')), safe='')}"

    async def get(self, url: str) -> Answer:
        """The answer to a GET, if it is 200 or a 404 of the registry itself.

        Raises:
            SchemaUnavailable: there is none, or another one.
        """
        try:
            async with self._session.get(
                URL(url, encoded=True), ssl=self._ssl(), allow_redirects=False
            ) as response:
                body = await response.content.read(MAX_BYTES + 1)
                while not response.content.at_eof() and len(body) <= MAX_BYTES:
                    body += await response.content.read(MAX_BYTES + 1)
                status = response.status
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise SchemaUnavailable(f"no response: {failure_kind(error)}") from None
        if status in {401, 403}:
            raise SchemaUnavailable(f"the registry rejects the login ({status})", unauthorized=True)
        if len(body) > MAX_BYTES:
            raise SchemaUnavailable(f"a response is larger than {MAX_BYTES:,} bytes")
        if status != 200 and not (status == 404 and is_unknown(body)):
            raise SchemaUnavailable(f"the registry responds with status {status}")
        return Answer(status, body)

    def _ssl(self) -> ssl.SSLContext | bool:
        if self._settings.ca_file is None:
            return True
        if self._tls is None:
            self._tls = trusting(self._settings.ca_file)
        return self._tls


class _Fetch:
    """One schema with its references, each of which is fetched once."""

    def __init__(self, client: SchemaRegistryClient) -> None:
        self._client = client
        self._known: dict[str, Schema] = {}

    async def schema(self, id_: SchemaId) -> Schema:
        url, apicurio = self._client.url_of(id_), id_.kind in {IdKind.CONTENT, IdKind.GLOBAL}
        missing = f"The schema registry does not know the schema with the {id_}."
        return await self._schema(url, (url,), missing, apicurio=apicurio)

    async def version(self, subject: str, version: int) -> Schema:
        url = self._client.url_of_reference({"subject": subject, "version": version}, apicurio=False)
        missing = "The schema registry does not know this version."
        return await self._schema(url, (url,), missing, apicurio=False)

    async def _schema(self, url: str, path: tuple[str, ...], missing: str, *, apicurio: bool) -> Schema:
        if url in self._known:
            return self._known[url]
        if len(self._known) >= MAX_REFERENCES or len(path) > MAX_REFERENCES:
            raise _UnusableError(NoSchema("The schema refers to too many others.", unknown=False))
        answer = await self._client.get(url)
        if answer.status == 404:
            raise _UnusableError(NoSchema(missing))
        try:
            type_, text, references = await self._read(url, answer, apicurio=apicurio)
        except InvalidAnswerError:
            raise SchemaUnavailable("the response is not from a schema registry") from None
        found = [await self._reference(each, path, apicurio=apicurio) for each in references]
        schema = self._known[url] = Schema(type_, text, tuple(found))
        return schema

    async def _read(
        self, url: str, answer: Answer, *, apicurio: bool
    ) -> tuple[str, str, list[dict[str, Any]]]:
        if not apicurio:
            return confluent_schema(answer.body)
        references = await self._client.get(f"{url}/references")
        try:
            text = answer.body.decode()
        except UnicodeDecodeError:
            raise InvalidAnswerError from None
        return "", text, references_of(references.body) if references.status == 200 else []

    async def _reference(self, given: dict[str, Any], path: tuple[str, ...], *, apicurio: bool) -> Reference:
        url = self._client.url_of_reference(given, apicurio=apicurio)
        name = str(given.get("name"))
        if url in path:
            raise _UnusableError(NoSchema("The schema refers to itself by way of others.", unknown=False))
        missing = "The schema registry does not know a schema that the record's schema refers to."
        return Reference(name, await self._schema(url, (*path, url), missing, apicurio=apicurio))
