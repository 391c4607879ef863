"""What is wrong with Kafka right now, for `/readyz`: noticed as told by the client, cleared when it works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from confluent_kafka.admin._metadata import ClusterMetadata

_NOT_KNOWN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL}  # noqa: SLF001 - the same
_NOT_ALLOWED = {
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_NO_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}  # noqa: SLF001 - the same


class Troubles:
    """The list of what is wrong. Written by the polling thread, read by the event loop."""

    def __init__(self) -> None:
        self._current: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._current)

    def noticed(self, error: KafkaError, topic: str | None = None) -> None:
        """Take in what the client reported; most of its errors pass by themselves and are no trouble."""
        code = error.code()
        if code == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the same
            self.unreachable()
        elif code in _NOT_KNOWN:
            self._current["KAFKA_AUTHENTICATION"] = error.str()
        elif code in _NOT_ALLOWED:
            self._current["KAFKA_NOT_AUTHORIZED"] = error.str()
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

    def answered(self, metadata: ClusterMetadata, exact: Iterable[str]) -> None:
        """A broker answered with what it has."""
        self._current.pop("KAFKA_UNREACHABLE", None)
        self._current.pop("KAFKA_AUTHENTICATION", None)
        self.missing(missing_topics(metadata, exact))

    def worked(self) -> None:
        """The group gave partitions, or took a commit: it allows us."""
        self._current.pop("KAFKA_NOT_AUTHORIZED", None)
        self._current.pop("KAFKA_UNREACHABLE", None)

    def listed(self) -> list[dict[str, str]]:
        """What is wrong, as `/readyz` shows it."""
        return [
            {"reason": reason, "detail": detail} for reason, detail in sorted(self._current.copy().items())
        ]


def missing_topics(metadata: ClusterMetadata, exact: Iterable[str]) -> list[str]:
    """Which of these topics do not exist, or are not shown to us."""
    return sorted(name for name in exact if name not in metadata.topics or metadata.topics[name].error)
