"""What is wrong with Kafka right now, for `/readyz`: set as the client reports it, cleared when Kafka works again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from worker.adapters.kafka.own_words import CONNECTION_FAILED, NOT_CONNECTED, is_refused_login, own_words
from worker.telemetry.logs import LogRateLimiter, log

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.core.records import Partition

_NOT_AUTHORIZED = {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
"""Errors of ACLs that concern every topic."""

_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - the same
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the same
}
_NOT_JOINING = {
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.GROUP_MAX_SIZE_REACHED,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.INVALID_GROUP_ID,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError.UNRELEASED_INSTANCE_ID,
}
"""Responses to JoinGroup that the client retries for ever. Only an operator can resolve them."""

ONE_TOPIC = {KafkaError.TOPIC_AUTHORIZATION_FAILED, *_NO_TOPIC}
"""Errors of one topic or partition: all others continue."""


NO_SUCH_TOPIC = "no such topic, or no right to see it"
"""Brokers give the same response in both cases."""


class ClientErrors:
    """The current errors. Written by the polling thread, read by the event loop. Each is logged when it appears.

    Attributes:
        topics_doubtful: a broker did not know a topic or a partition. Metadata must tell which: a partition that was
            just added is not known to all brokers at once.
    """

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._forbidden: dict[str, str] = {}
        self._not_connected_because = ""
        self._limiter = LogRateLimiter()
        self.topics_doubtful = False

    def __bool__(self) -> bool:
        return bool(self._current or self._forbidden)

    def report(self, error: KafkaError, topic: str | None = None) -> None:
        """Record an error of the client. Most are transient, and are not kept."""
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the same
            self.brokers_unreachable()
        elif is_refused_login(error):
            self._set("KAFKA_AUTHENTICATION", own_words(error.str()))
        elif code in _NOT_AUTHORIZED or (code == KafkaError.TOPIC_AUTHORIZATION_FAILED and not topic):
            self._set("KAFKA_NOT_AUTHORIZED", error.str())
        elif code == KafkaError.TOPIC_AUTHORIZATION_FAILED and topic:
            self._forbidden[topic] = error.str()
            self._log("KAFKA_NOT_AUTHORIZED", f"{topic}: {error.str()}")
        elif code in _NOT_JOINING:
            self._set("GROUP_REFUSED", error.str())
        elif code in _NO_TOPIC:
            self.topics_doubtful = True
        elif code in NOT_CONNECTED:
            self._not_connected_because = own_words(error.str())

    def client_logged(self, facility: str, text: str) -> None:
        """A line of the client's log. Some failures are only there, such as TLS at a listener without it."""
        if facility == CONNECTION_FAILED:
            self._not_connected_because = own_words(text)

    def brokers_unreachable(self) -> None:
        """No broker responds."""
        if "KAFKA_AUTHENTICATION" not in self._current:  # they do, and that says why nothing works
            why = self._not_connected_because
            self._set("KAFKA_UNREACHABLE", f"no broker responds: {why}" if why else "no broker responds")

    def set_missing_topics(self, topics: Iterable[str]) -> None:
        """These topics do not exist; an empty list clears the error."""
        names = ", ".join(sorted(topics))
        if not names:
            self._current.pop("TOPIC_MISSING", None)
        else:
            self._set("TOPIC_MISSING", f"{NO_SUCH_TOPIC}: {names}")

    def client_failed(self, why: str) -> None:
        """The client is in a terminal state and will be replaced."""
        self._set("KAFKA_CLIENT_FAILED", why)

    def set_stalled(self, partitions: Iterable[Partition]) -> None:
        """These partitions have records to read and do not advance; an empty list clears the error."""
        names = ", ".join(f"{topic}:{number}" for topic, number in sorted(partitions))
        if not names:
            self._current.pop("FETCH_STALLED", None)
        else:
            self._set("FETCH_STALLED", f"there are records to read, but none are fetched: {names}")

    def metadata_received(self, metadata: ClusterMetadata, exact: Iterable[str]) -> None:
        """A broker responded with its metadata."""
        self._not_connected_because = ""
        self.topics_doubtful = False
        self._current.pop("KAFKA_UNREACHABLE", None)
        self._current.pop("KAFKA_AUTHENTICATION", None)
        self.set_missing_topics(missing_topics(metadata, exact))
        for topic in self._forbidden.keys() - metadata.topics.keys():
            self._forbidden.pop(topic, None)

    def group_responded(self) -> None:
        """The group assigned partitions or accepted a commit, so it accepts this member."""
        for reason in ("KAFKA_NOT_AUTHORIZED", "KAFKA_UNREACHABLE", "KAFKA_CLIENT_FAILED", "GROUP_REFUSED"):
            self._current.pop(reason, None)

    @property
    def forbids_topics(self) -> bool:
        """Whether the brokers refuse some topics, so that `topics_readable` is worth calling."""
        return bool(self._forbidden)

    def topics_readable(self, topics: Iterable[str]) -> None:
        """The brokers sent records or ends of these topics."""
        for topic in topics:
            self._forbidden.pop(topic, None)

    def problems(self) -> list[dict[str, str]]:
        """The current errors, as `/readyz` shows them."""
        reasons = self._current.copy()
        if forbidden := self._forbidden.copy():
            texts = "; ".join(f"{topic}: {why}" for topic, why in sorted(forbidden.items()))
            reasons["KAFKA_NOT_AUTHORIZED"] = "; ".join(
                filter(None, [reasons.get("KAFKA_NOT_AUTHORIZED"), texts])
            )
        return [{"reason": reason, "detail": detail} for reason, detail in sorted(reasons.items())]

    def _set(self, reason: str, detail: str) -> None:
        is_new = reason not in self._current
        self._current[reason] = detail
        if is_new:
            self._log(reason, detail)
        if reason == "KAFKA_AUTHENTICATION":
            self._current.pop("KAFKA_UNREACHABLE", None)

    def _log(self, reason: str, detail: str) -> None:
        if count := self._limiter.count((reason,), 1):
            log(logging.ERROR, "kafka_failed", detail, reason=reason, count=count)


def missing_topics(metadata: ClusterMetadata, exact: Iterable[str]) -> list[str]:
    """Which of these topics do not exist, or are hidden from this client. One whose leader is being elected exists."""
    return sorted(name for name in exact if name not in metadata.topics or _is_missing(metadata, name))


def _is_missing(metadata: ClusterMetadata, name: str) -> bool:
    error = metadata.topics[name].error
    return error is not None and error.code() in {*ONE_TOPIC, KafkaError.TOPIC_EXCEPTION}
