"""The source topics: partitions, and how old the newest record is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from worker.adapters.findings import Finding, count, duration
from worker.adapters.kafka.client_errors import NO_SUCH_TOPIC, missing_topics
from worker.adapters.kafka.clients import wait_for
from worker.adapters.kafka.inspection.rights import READ, lacks
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.core.near_matches import did_you_mean

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.adapters.kafka.inspection.connection import Connection
    from worker.adapters.kafka.inspection.rights import Rights
    from worker.documents.problems import Problem

_NEWEST = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # the client has no types here

_ALLOW = "allow READ on it, and DESCRIBE"

TopicProblem = Callable[[str, str, str | None], "Problem"]
"""Makes a problem of a topic from its name, a message and a hint, at the place where a mapping names it."""


def matching(metadata: ClusterMetadata, subscription: str) -> list[str]:
    """The topics that a name or a pattern `^...$` stands for, in order. Kafka's own never match a pattern."""
    if not subscription.startswith("^"):
        return [] if missing_topics(metadata, [subscription]) else [subscription]
    return sorted(
        name for name in metadata.topics if re.match(subscription, name) and not name.startswith("__")
    )


def source_topics(metadata: ClusterMetadata, subscriptions: Iterable[str]) -> set[str]:
    """All topics that these names and patterns stand for."""
    return {name for subscription in subscriptions for name in matching(metadata, subscription)}


def look_at_topics(
    connection: Connection, subscriptions: Iterable[str], rights: Rights, problem: TopicProblem
) -> Iterator[Finding]:
    """Each topic that the mappings name; for a pattern each topic that it matches."""
    metadata = connection.metadata
    assert metadata is not None
    seen: set[str] = set()
    for subscription in subscriptions:
        names = matching(metadata, subscription)
        if not names:
            yield _missing(metadata, subscription, problem)
        for name in names:
            if name not in seen:
                found = _found(connection, name)
                wrong = lacks(rights.get(name), READ)
                problems = (
                    (problem(subscription, f"no right to read the topic {name}", _ALLOW),) if wrong else ()
                )
                yield replace(found, problems=problems)
        seen.update(names)


def _missing(metadata: ClusterMetadata, subscription: str, problem: TopicProblem) -> Finding:
    if subscription.startswith("^"):
        return Finding(f"topics {subscription}", "none yet", {"name": subscription})
    hint = did_you_mean(subscription, [name for name in metadata.topics if not name.startswith("__")])
    problems = (problem(subscription, f"{NO_SUCH_TOPIC}: {subscription}", hint),)
    return Finding(f"topic {subscription}", "does not exist, or is hidden", {"name": subscription}, problems)


def _found(connection: Connection, name: str) -> Finding:
    metadata, admin = connection.metadata, connection.admin
    assert metadata is not None
    assert admin is not None
    partitions = sorted(metadata.topics[name].partitions)
    newest = _newest(admin, name, partitions) if connection.has_controller else None  # the demo's says -1
    facts: dict[str, Any] = {"name": name, "partitions": len(partitions)}
    if newest is None:
        age = "the age of the newest record is not known"
    elif newest < 0:
        age = "no records"
    else:
        seconds = max(0.0, time.time() - newest / 1000)
        facts["newest_record_age_seconds"] = round(seconds, 3)
        age = f"the newest record is {duration(seconds)} old"
    return Finding(f"topic {name}", f"{count(len(partitions), 'partition')}; {age}", facts)


def _newest(admin: AdminClient, name: str, partitions: Iterable[int]) -> int | None:
    """The latest timestamp of a topic's records; -1 without records, None if the brokers do not report it."""
    asked = {TopicPartition(name, number): _NEWEST for number in partitions}
    try:
        responses = admin.list_offsets(asked, request_timeout=RESPONSE_SECONDS)
        wait_for(responses.values())
        return max(int(response.result().timestamp) for response in responses.values())
    except (KafkaException, ValueError):  # brokers older than 3.0, or a partition without a leader
        return None
