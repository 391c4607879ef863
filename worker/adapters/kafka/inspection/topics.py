"""The source topics: partitions, and how old the newest record is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import ListOffsetsResultInfo, OffsetSpec

from worker.adapters.findings import Finding, count, duration
from worker.adapters.kafka.client_errors import NO_SUCH_TOPIC, missing_topics
from worker.adapters.kafka.clients import wait_for
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.core.near_matches import did_you_mean

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.documents.problems import Problem

_NEWEST = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # the client has no types here
_FIRST, _END = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]

TopicProblem = Callable[[str, str, str | None], "Problem"]
"""Makes a problem of a topic from its name, a message and a hint, at the place where a mapping names it."""


def matching(metadata: ClusterMetadata, subscription: str) -> list[str]:
    """The topics that a name or a pattern `^...$` stands for, in order. Kafka's own never match a pattern."""
    if not subscription.startswith("^"):
        return [] if missing_topics(metadata, [subscription]) else [subscription]
    return sorted(
        name for name in metadata.topics if re.match(subscription, name) and not name.startswith("__")
    )


def look_at_topics(
    admin: AdminClient, metadata: ClusterMetadata, subscriptions: Iterable[str], problem: TopicProblem
) -> Iterator[Finding]:
    """Each topic that the mappings name; for a pattern each topic that it matches."""
    seen: set[str] = set()
    for subscription in subscriptions:
        names = matching(metadata, subscription)
        if not names:
            yield _missing(metadata, subscription, problem)
        for name in names:
            if name not in seen:
                yield _found(admin, metadata, name)
        seen.update(names)


def _missing(metadata: ClusterMetadata, subscription: str, problem: TopicProblem) -> Finding:
    if subscription.startswith("^"):
        return Finding(f"topics {subscription}", "none yet", {"name": subscription})
    hint = did_you_mean(subscription, [name for name in metadata.topics if not name.startswith("__")])
    problems = (problem(subscription, f"{NO_SUCH_TOPIC}: {subscription}", hint),)
    return Finding(f"topic {subscription}", "does not exist, or is hidden", {"name": subscription}, problems)


def _found(admin: AdminClient, metadata: ClusterMetadata, name: str) -> Finding:
    partitions = sorted(metadata.topics[name].partitions)
    newest = _newest(admin, name, partitions)
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


def _newest(admin: AdminClient, name: str, numbers: Iterable[int]) -> int | None:
    """The latest timestamp of a topic's records; -1 without records, None if the brokers do not tell."""
    partitions = [TopicPartition(name, number) for number in numbers]
    try:
        newest = max(each.timestamp for each in _offsets(admin, partitions, _NEWEST))
        if newest < 0 and _has_records(admin, partitions):
            return None  # the brokers do not search by time, such as the demo's
    except (KafkaException, ValueError):  # brokers older than 3.0, or a partition without a leader
        return None
    return int(newest)


def _has_records(admin: AdminClient, partitions: list[TopicPartition]) -> bool:
    firsts, ends = (_offsets(admin, partitions, spec) for spec in (_FIRST, _END))
    return any(first.offset < end.offset for first, end in zip(firsts, ends, strict=True))


def _offsets(
    admin: AdminClient, partitions: list[TopicPartition], spec: OffsetSpec
) -> list[ListOffsetsResultInfo]:
    responses = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=RESPONSE_SECONDS)
    wait_for(responses.values())
    return [responses[each].result() for each in partitions]
