"""Settings that are valid but probably not intended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from worker.settings.connections import DEFAULT_SESSION_SECONDS, Pipelines
from worker.settings.tree import Settings

LEAST_SHARED_SESSION_MS = 6_000
"""With a shorter session a request may still be on its way when another member already owns its partition (rule L in
docs/decisions/0013-group-rate-limit.md). Brokers accept no shorter one by default (`group.min.session.timeout.ms`)."""

API_REQUESTS_PER_SECOND = 1000
"""3,000 requests in 3 seconds (Customer.io Pipelines API reference, rate limits)."""

Warned = tuple[tuple[str | int, ...], str, str]
"""The key, the warning, and what to do about it."""


_OFF = {"false", "f", "0"}
"""What librdkafka reads as false, in any case."""


def warnings_about(settings: Settings) -> Iterator[Warned]:
    """All warnings, in the order of the file."""
    yield from _about_properties(settings.kafka.properties)
    if is_in_clear(settings.schema_registry.url):
        yield ("schema_registry", "url"), "the password and all schemas travel unencrypted", "use https"
    yield from _about_pipelines(settings.pipelines)
    rate = settings.rate_limit
    if rate.requests / rate.per > API_REQUESTS_PER_SECOND:
        yield (
            ("rate_limit", "requests"),
            "more than the API accepts: 3,000 requests in 3 seconds",
            "divide the API's limit by the number of replicas, or set rate_limit.scope: group",
        )
    if rate.scope == "group":
        yield from _about_shared_limit(settings.kafka.properties)


def _about_shared_limit(properties: Mapping[str, str]) -> Iterator[Warned]:
    """Sessions and heartbeats of a classic group with which a member may notice too late that it has lost partitions.

    Those of a KIP-848 group are the brokers', which keep them apart themselves.
    """
    session = _milliseconds(properties, "session.timeout.ms", DEFAULT_SESSION_SECONDS * 1000)
    if session < LEAST_SHARED_SESSION_MS:
        yield (
            _property("session.timeout.ms"),
            "too short for rate_limit.scope: group: when a member loses its partitions, the limit may be exceeded",
            f"set at least {LEAST_SHARED_SESSION_MS}",
        )
    if _milliseconds(properties, "heartbeat.interval.ms", 0) > session / 3:
        yield (
            _property("heartbeat.interval.ms"),
            "more than a third of session.timeout.ms, which is too rare for rate_limit.scope: group",
            "remove it, or set at most a third",
        )


def _milliseconds(properties: Mapping[str, str], name: str, default: int) -> int:
    """A property's value; the default where it is no number, which is reported elsewhere."""
    given = properties.get(name, "")
    return int(given) if given.isdecimal() else default


def _about_pipelines(pipelines: Pipelines) -> Iterator[Warned]:
    if is_in_clear(pipelines.url):
        yield ("pipelines", "url"), "the key and all calls travel unencrypted", "use https"
    if not pipelines.strict:
        yield (
            ("pipelines", "strict"),
            "the API returns 200 for calls that it drops, and even for a wrong key: they are lost silently",
            "leave strict on",
        )


def _about_properties(properties: Mapping[str, str]) -> Iterator[Warned]:
    """What makes a connection to Kafka one that others can read or take over."""
    for name, value in properties.items():
        if name == "enable.ssl.certificate.verification" and value.lower() in _OFF:
            message = "TLS certificates are not verified: any server can pose as a broker"
            yield _property(name), message, "leave it on, and set ssl.ca.location"
        elif name == "ssl.endpoint.identification.algorithm" and value.lower() == "none":
            message = "the host names of brokers are not verified: the owner of any valid certificate can pose as one"
            yield _property(name), message, "set it to https, and list the names in the brokers' certificates"
        elif name == "security.protocol" and value.upper() == "SASL_PLAINTEXT" and _sends_secret(properties):
            yield _property(name), "the password or token travels unencrypted", "use SASL_SSL"
        elif name == "sasl.oauthbearer.token.endpoint.url" and is_in_clear(value):
            yield _property(name), "the client's secret and its tokens travel unencrypted", "use https"


def _property(name: str) -> tuple[str, str, str]:
    return "kafka", "properties", name


def _sends_secret(properties: Mapping[str, str]) -> bool:
    """Whether the login contains the secret itself: PLAIN and OAUTHBEARER do, SCRAM does not.

    `kafka.auth` leaves the mechanism out, which is OAUTHBEARER then.
    """
    mechanism = properties.get("sasl.mechanism") or properties.get("sasl.mechanisms") or "OAUTHBEARER"
    return mechanism.upper() in {"PLAIN", "OAUTHBEARER"}


def is_in_clear(url: str | None) -> bool:
    """Whether others can read what is sent to this URL: http to a host that is not this machine."""
    parts = urlsplit(url or "")
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
