"""What is wrong with Kafka right now, for `/readyz`: noticed as told by the client, cleared when it works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.core.records import Partition

NOT_KNOWN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL}  # noqa: SLF001 - the same
_NOT_ALLOWED = {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
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
"""Answers to JoinGroup that the client tries again, and that somebody must see."""

ONE_TOPIC = {KafkaError.TOPIC_AUTHORIZATION_FAILED, *_NO_TOPIC}
"""Errors that concern one topic or partition: everything else goes on."""


class Troubles:
    """The list of what is wrong. Written by the polling thread, read by the event loop."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}
        self._forbidden: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._current or self._forbidden)

    def noticed(self, error: KafkaError, topic: str | None = None) -> None:
        """Take in what the client reported; most of its errors pass by themselves and are no trouble."""
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the same
            self.unreachable()
        elif code in NOT_KNOWN:
            self._current["KAFKA_AUTHENTICATION"] = error.str()
        elif code in _NOT_ALLOWED or (code == KafkaError.TOPIC_AUTHORIZATION_FAILED and not topic):
            self._current["KAFKA_NOT_AUTHORIZED"] = error.str()
        elif code == KafkaError.TOPIC_AUTHORIZATION_FAILED and topic:
            self._forbidden[topic] = error.str()
        elif code in _NOT_JOINING:
            self._current["GROUP_REFUSED"] = error.str()
        elif code in _NO_TOPIC and topic and not topic.startswith("^"):
            self.missing([topic])

    def unreachable(self) -> None:
        """No broker answers."""
        self._current.setdefault("KAFKA_UNREACHABLE", "no broker answers")

    def missing(self, topics: Iterable[str]) -> None:
        """These topics do not exist; none: they all do."""
        names = ", ".join(sorted(topics))
        self._current.pop("TOPIC_MISSING", None)
        if names:
            self._current["TOPIC_MISSING"] = f"no such topic, or no right to see it: {names}"

    def client_failed(self, why: str) -> None:
        """The client is in a terminal state and will be made anew."""
        self._current["KAFKA_CLIENT_FAILED"] = why

    def stalled(self, partitions: Iterable[Partition]) -> None:
        """These partitions have records to read, and nothing comes; none: all move."""
        names = ", ".join(f"{topic}:{number}" for topic, number in sorted(partitions))
        self._current.pop("FETCH_STALLED", None)
        if names:
            self._current["FETCH_STALLED"] = f"records are there to be read, and nothing is fetched: {names}"

    def answered(self, metadata: ClusterMetadata, exact: Iterable[str]) -> None:
        """A broker answered with what it has."""
        self._current.pop("KAFKA_UNREACHABLE", None)
        self._current.pop("KAFKA_AUTHENTICATION", None)
        self.missing(missing_topics(metadata, exact))
        for topic in self._forbidden.keys() - metadata.topics.keys():
            self._forbidden.pop(topic, None)

    def worked(self) -> None:
        """The group gave partitions, or took a commit: it allows us."""
        for reason in ("KAFKA_NOT_AUTHORIZED", "KAFKA_UNREACHABLE", "KAFKA_CLIENT_FAILED", "GROUP_REFUSED"):
            self._current.pop(reason, None)

    @property
    def forbids_topics(self) -> bool:
        """Whether the brokers refuse some topics, so that `allowed` is worth calling."""
        return bool(self._forbidden)

    def allowed(self, topics: Iterable[str]) -> None:
        """The brokers gave records or ends of these topics."""
        for topic in topics:
            self._forbidden.pop(topic, None)

    def listed(self) -> list[dict[str, str]]:
        """What is wrong, as `/readyz` shows it."""
        reasons = self._current.copy()
        if forbidden := self._forbidden.copy():
            texts = "; ".join(f"{topic}: {why}" for topic, why in sorted(forbidden.items()))
            reasons["KAFKA_NOT_AUTHORIZED"] = "; ".join(
                filter(None, [reasons.get("KAFKA_NOT_AUTHORIZED"), texts])
            )
        return [{"reason": reason, "detail": detail} for reason, detail in sorted(reasons.items())]


def missing_topics(metadata: ClusterMetadata, exact: Iterable[str]) -> list[str]:
    """Which of these topics do not exist, or are not shown to us. One whose leader is being elected does exist."""
    return sorted(name for name in exact if name not in metadata.topics or _is_missing(metadata, name))


def _is_missing(metadata: ClusterMetadata, name: str) -> bool:
    error = metadata.topics[name].error
    return error is not None and error.code() in {*ONE_TOPIC, KafkaError.TOPIC_EXCEPTION}
