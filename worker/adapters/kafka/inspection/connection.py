"""The brokers: whether they respond, accept the login, and what they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException

from worker.adapters.findings import Finding, count
from worker.adapters.kafka.clients import make_admin
from worker.adapters.kafka.inspection.broker_version import DEBUG, highest_versions, release
from worker.adapters.kafka.inspection.certificates import NOT_VERIFIED, why_not_verified
from worker.adapters.kafka.own_words import CONNECTION_FAILED, is_refused_login, own_words
from worker.adapters.kafka.properties import admin_properties
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.settings import Kafka, Settings

LOOK_SECONDS = 1.0
"""How long to wait for metadata before looking at the client's errors: the delay to report a wrong password."""

REFUSED_SECONDS = 3.0
"""How long to go on if no broker can be connected to. They may be starting, but a wrong address stays wrong."""

_PASSWORD = ("sasl.password", "sasl.username", "sasl.mechanism", "sasl.mechanisms")
_CERTIFICATE = (
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.keystore.location",
    "security.protocol",
)
_AUTHORITY = ("ssl.ca.location", "ssl.ca.pem", "security.protocol")

_TOKEN = ("sasl.oauthbearer.token.endpoint.url", "sasl.mechanism", "sasl.mechanisms")

_PLACES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("acquire SASL OAUTHBEARER token", _TOKEN),
    (NOT_VERIFIED, _AUTHORITY),
    ("SSL alert", _CERTIFICATE),
    ("mechanism handshake failed", ("sasl.mechanism", "sasl.mechanisms", "security.protocol")),
    ("PLAINTEXT broker listener", ("security.protocol",)),
    ("security.protocol", ("security.protocol",)),
)
"""Words of an error, and the properties that they are probably about, the likeliest first."""


@dataclass
class Connection:
    """The administrative client, with what the brokers said.

    Attributes:
        admin: the client; it may be used if `metadata` is known.
        metadata: the cluster's; None if no broker responded.
        errors: what the client reported.
        failures: the texts of its log about connections that failed.
        supported: the lines of its log about requests that the broker takes.
    """

    admin: AdminClient | None = None
    metadata: ClusterMetadata | None = None
    errors: list[KafkaError] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    supported: list[str] = field(default_factory=list)

    def on_line(self, facility: str, text: str) -> None:
        """Keep a line of the client's log."""
        if facility == CONNECTION_FAILED:
            self.failures.append(text)
        elif "ApiKey" in text:
            self.supported.append(text)

    @property
    def has_controller(self) -> bool:
        """Whether administrative requests get a response: the demo's cluster takes none."""
        return self.metadata is not None and self.metadata.controller_id in self.metadata.brokers

    @property
    def refused(self) -> KafkaError | None:
        """The error that says that the login failed, if one does."""
        return next((error for error in self.errors if is_refused_login(error)), None)


def connect(kafka: Kafka) -> Connection:
    """Connect, until a broker has responded, refused the login, or not responded in time. Blocks."""
    found = Connection()
    if kafka.missing_files:
        return found
    try:
        properties = {**admin_properties(kafka), **DEBUG, "error_cb": found.errors.append}
        found.admin = make_admin(properties, found.on_line)
    except KafkaException as error:
        found.errors.append(error.args[0])
        return found
    started = time.monotonic()
    while not _is_decided(found, time.monotonic() - started):
        try:
            found.metadata = found.admin.list_topics(timeout=LOOK_SECONDS)
        except KafkaException:
            pass
        finally:
            found.admin.poll(0)  # hands over errors and lines of the log
    return found


def _is_decided(found: Connection, seconds: float) -> bool:
    if found.metadata is not None or found.refused is not None:
        return True
    return seconds > (REFUSED_SECONDS if found.errors or found.failures else RESPONSE_SECONDS)


def look_at_brokers(settings: Settings, connection: Connection) -> list[Finding]:
    """The brokers with their release, and the cluster."""
    servers = settings.kafka.bootstrap_servers
    if connection.metadata is None:
        return [_no_connection(settings, connection)]
    version = release(highest_versions(connection.supported))
    brokers = [f"{each.host}:{each.port}" for each in connection.metadata.brokers.values()]
    found = f"Kafka {version}" if version else "of an unknown release"
    facts = {"bootstrap_servers": servers, "version": version, "brokers": brokers}
    cluster_id = connection.metadata.cluster_id
    return [
        Finding("broker", f"{servers}: {found}; {count(len(brokers), 'broker')}", facts),
        Finding("cluster", f"id {cluster_id}", {"id": cluster_id}),
    ]


def _no_connection(settings: Settings, connection: Connection) -> Finding:
    kafka = settings.kafka
    if kafka.missing_files:
        problems = tuple(replace(each, warning=False) for each in kafka.missing_files)
        return Finding(
            "broker", "not connected to, because the file of a secret is missing", problems=problems
        )
    if (refused := connection.refused) is not None:
        text = _why(refused.str(), kafka)
        problem = settings.problem_at(_place(refused.str(), kafka), text)
        return Finding("broker", f"{kafka.bootstrap_servers}: the connection is refused", problems=(problem,))
    words = [each.str() for each in connection.errors if each.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 - the client's public name
    reasons = list(dict.fromkeys(own_words(text) for text in (*words, *connection.failures)))
    why = reasons[0] if reasons else f"no response within {RESPONSE_SECONDS:g} s"
    message = f"no broker responds: {why}"
    problem = settings.problem_at(
        _place(why, kafka), message, f"kafka.bootstrap_servers is {kafka.bootstrap_servers}"
    )
    return Finding("broker", f"{kafka.bootstrap_servers}: no broker responds", problems=(problem,))


def _why(text: str, kafka: Kafka) -> str:
    """The client's own words, with OpenSSL's reason where they leave it out."""
    words = own_words(text).removeprefix("kafka.auth: ")
    reason = why_not_verified(text, kafka.properties) if NOT_VERIFIED in text else None
    return f"{words.partition(': broker certificate')[0]}: {reason}" if reason else words


def _place(text: str, kafka: Kafka) -> tuple[str, ...]:
    """The key that an error is probably about."""
    names = next((names for words, names in _PLACES if words in text), None)
    if names is None and is_about_login(text):
        names = _PASSWORD if kafka.auth is None else ()
    if names is None:
        return "kafka", "bootstrap_servers"
    if name := next((name for name in names if name in kafka.properties), None):
        return "kafka", "properties", name
    return ("kafka", "auth") if kafka.auth is not None else ("kafka", "properties")


def is_about_login(text: str) -> bool:
    """Whether an error is about a password or token."""
    return any(word in text for word in ("SASL", "kafka.auth", "OAUTHBEARER", "uthentication"))
