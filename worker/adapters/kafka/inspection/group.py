"""The consumer group: its members, and how far it is behind."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, KafkaError, KafkaException

from worker.adapters.findings import Finding, count
from worker.adapters.kafka.clients import make_consumer, wait_for
from worker.adapters.kafka.error_codes import UNSUPPORTED_FEATURE
from worker.adapters.kafka.group_settings import read_session
from worker.adapters.kafka.inspection.rights import READ, lacks
from worker.adapters.kafka.inspection.topics import source_topics
from worker.adapters.kafka.properties import reader_properties
from worker.adapters.kafka.start_offsets import committed_offsets, offsets_at
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.pipeline.ports import SourceFailed

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._acl import AclOperation
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.adapters.kafka.inspection.connection import Connection
    from worker.core.records import Partition
    from worker.documents.problems import Problem
    from worker.settings import Settings

_PLACE = ("kafka", "group_id")

_NOT_TOLD = {UNSUPPORTED_FEATURE, KafkaError.GROUP_ID_NOT_FOUND}
"""The brokers describe no groups (the demo's cluster), or the group does not exist yet (Kafka 4.0 and newer)."""

_NOT_READY = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
}
"""The coordinator is being elected: the first request of a new cluster creates the topic of the offsets."""

RETRY_SECONDS = 0.2
"""How long to wait for the coordinator between two requests."""


def look_at_group(settings: Settings, connection: Connection, subscriptions: Iterable[str]) -> Finding:
    """The group that `run` joins. It is not joined here."""
    assert connection.admin is not None
    assert connection.metadata is not None
    group_id = settings.kafka.group_id
    subject, facts = f"group {group_id}", {"id": group_id}
    partitions = _partitions(connection.metadata, subscriptions)
    try:
        members, allowed = _members(connection.admin, group_id)
        lag, committed = _lag(settings, partitions)
        problems = tuple(_of_shared_limit(settings, connection.metadata, len(partitions)))
    except KafkaException as error:
        why = f"{error.args[0].name()}: {error.args[0].str()}"
        problem = settings.problem_at(_PLACE, f"the group {group_id} could not be looked at: {why}")
        return Finding(subject, "could not be looked at", facts, (problem,))
    known: dict[str, Any] = {**facts, "members": members, "lag": lag, "committed_partitions": committed}
    joined = (
        "members are not known" if members is None else count(members, "member") if members else "no members"
    )
    behind = (
        f"lag {count(lag, 'record')}"
        if committed
        else f"has committed nothing yet; {count(lag, 'record')} to read"
    )
    if lacks(allowed, READ):
        hint = "allow READ on it"
        problems = (settings.problem_at(_PLACE, f"no right to join the group {group_id}", hint), *problems)
    return Finding(subject, f"{joined}; {behind}", known, problems)


def _of_shared_limit(settings: Settings, metadata: ClusterMetadata, partitions: int) -> Iterator[Problem]:
    """What keeps the group from sharing a rate limit, or from keeping it in each window, if it is to do so.

    Raises:
        KafkaException: the brokers did not respond.
    """
    if settings.rate_limit.scope != "group":
        return
    try:
        read_session(settings.kafka, metadata, needed=True)
    except SourceFailed as failure:
        message, _, hint = str(failure).partition(": ")
        yield settings.problem_at(("rate_limit", "scope"), message, hint)
    if (requests := settings.rate_limit.requests) < partitions:
        yield settings.problem_at(
            ("rate_limit", "requests"),
            f"{count(requests, 'request')} for {count(partitions, 'partition')}: the share of a member with few "
            "of them is below one request, and such members together may exceed the limit in one window",
            f"raise requests to at least {partitions} and per as much",
            warning=True,
        )


def _partitions(metadata: ClusterMetadata, subscriptions: Iterable[str]) -> list[Partition]:
    topics = sorted(source_topics(metadata, subscriptions))
    return [(topic, number) for topic in topics for number in sorted(metadata.topics[topic].partitions)]


def _members(admin: AdminClient, group_id: str) -> tuple[int | None, Collection[AclOperation]]:
    """How many members the group has, None if the brokers do not report it; and which operations they allow on it.

    Raises:
        KafkaException: there is no right to see the group, or no response.
    """
    deadline = time.monotonic() + RESPONSE_SECONDS
    while True:
        response = admin.describe_consumer_groups(
            [group_id], include_authorized_operations=True, request_timeout=RESPONSE_SECONDS
        )[group_id]
        wait_for([response])
        try:
            group = response.result()
            return len(group.members), group.authorized_operations or ()
        except KafkaException as error:
            code = error.args[0].code()
            if code in _NOT_TOLD:
                return (None if code == UNSUPPORTED_FEATURE else 0), ()
            if code not in _NOT_READY or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)


def _lag(settings: Settings, partitions: list[Partition]) -> tuple[int, int]:
    """How many offsets there are to read, and of how many partitions there is a commit.

    `AdminClient.list_consumer_group_offsets` is not used: it can end the process when the coordinator responds with an
    error (confluent-kafka 2.16).

    Raises:
        KafkaException: the brokers refuse or do not respond.
    """
    consumer = make_consumer(reader_properties(settings.kafka, settings.memory))
    try:
        committed = committed_offsets(consumer, partitions)
        ends = offsets_at(consumer, partitions, OFFSET_END)
        firsts = offsets_at(
            consumer, [each for each in partitions if each not in committed], OFFSET_BEGINNING
        )
    finally:
        consumer.close()
    starts = {**firsts, **{partition: each.offset for partition, each in committed.items()}}
    return sum(max(0, ends[each] - starts[each]) for each in partitions), len(committed)
