"""What `check --connect` looks at in the schema registry: whether it responds and accepts the login."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp

from worker.adapters.findings import Finding
from worker.adapters.pipelines_api.client import failure_kind
from worker.adapters.tls import trusting

if TYPE_CHECKING:
    from worker.settings import SchemaRegistry, Settings

_SUBJECT = "schema registry"


async def look_at_registry(settings: Settings) -> Finding:
    """Ask for the list of subjects, which every registry with the Confluent API has."""
    registry = settings.schema_registry
    if registry.url is None:
        return Finding(_SUBJECT, "none is configured", {"url": None})
    facts = {"url": registry.url}
    try:
        status = await _status(registry)
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        place = (
            "ca_file" if isinstance(error, ssl.SSLError | FileNotFoundError) and registry.ca_file else "url"
        )
        message = f"no response from {registry.url}: {failure_kind(error)}"
        return Finding(
            _SUBJECT, "no response", facts, (settings.problem_at(("schema_registry", place), message),)
        )
    if status == 200:
        return Finding(_SUBJECT, f"{registry.url} responds", {**facts, "status": status})
    place, message = "url", f"the response is not from a schema registry ({status})"
    if status in {401, 403}:
        place = "password" if registry.password else "username" if registry.username else "url"
        message = f"the registry rejects the login ({status})"
    problem = settings.problem_at(("schema_registry", place), message)
    return Finding(_SUBJECT, f"responds with {status}", {**facts, "status": status}, (problem,))


async def _status(registry: SchemaRegistry) -> int:
    password = registry.password.get_secret_value() if registry.password else ""
    login = aiohttp.encode_basic_auth(registry.username, password) if registry.username else None
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=registry.timeout), trust_env=False
        ) as session,
        session.get(
            f"{registry.url}/subjects",
            headers={"Authorization": login} if login else {},
            ssl=trusting(registry.ca_file) if registry.ca_file else True,
            allow_redirects=False,
        ) as response,
    ):
        return response.status
