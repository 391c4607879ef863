"""Settings that are valid but probably not intended."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from worker.settings.tree import Settings

API_REQUESTS_PER_SECOND = 1000
"""3,000 requests in 3 seconds (Customer.io Pipelines API reference, rate limits)."""

Warned = tuple[tuple[str | int, ...], str, str]
"""The key, the warning, and what to do about it."""


def warnings_about(settings: Settings) -> Iterator[Warned]:
    """All warnings, in the order of the file."""
    pipelines, rate = settings.pipelines, settings.rate_limit
    if pipelines.url and _in_clear(pipelines.url):
        yield ("pipelines", "url"), "the key and all calls travel unencrypted", "use https"
    if not pipelines.strict:
        yield (
            ("pipelines", "strict"),
            "the API returns 200 for calls that it drops, and even for a wrong key: they are lost silently",
            "leave strict on",
        )
    if rate.requests / rate.per > API_REQUESTS_PER_SECOND:
        yield (
            ("rate_limit", "requests"),
            "more than the API accepts: 3,000 requests in 3 seconds",
            "divide the API's limit by the number of replicas",
        )


def _in_clear(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_private
    except ValueError:
        # A bare name is a container or a service of the same network.
        return "." in host and not host.endswith((".local", ".internal", ".svc", ".test"))
