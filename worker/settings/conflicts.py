"""Settings that are valid one by one, but not together, or not for what they are used for."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from worker.settings.kafka_auth import conflicts_with
from worker.settings.tree import Settings

Conflict = tuple[tuple[str | int, ...], str, str]
"""The key, what is wrong, and what to do about it."""


def conflicts_in(settings: Settings) -> Iterator[Conflict]:
    """All of them, in the order of the file."""
    if settings.kafka.auth is not None:
        for name, message, hint in conflicts_with(settings.kafka.properties):
            yield ("kafka", "properties", name), message, hint
    url = urlsplit(settings.pipelines.url or "")
    if url.scheme == "http" and f".{url.hostname}".endswith(".customer.io"):
        message = "http sends the key and all calls to Customer.io unencrypted"
        yield ("pipelines", "url"), message, "write https, or set pipelines.region instead"
