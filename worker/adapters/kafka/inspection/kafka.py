"""What `check --connect` looks at in Kafka, in the order in which a worker needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.adapters.findings import Finding
from worker.adapters.kafka.inspection.connection import connect, look_at_brokers
from worker.adapters.kafka.inspection.dead_letter_topic import look_at_dead_letter_topic
from worker.adapters.kafka.inspection.group import look_at_group
from worker.adapters.kafka.inspection.rights import topic_rights
from worker.adapters.kafka.inspection.topics import look_at_topics, source_topics

if TYPE_CHECKING:
    from worker.adapters.kafka.inspection.topics import TopicProblem
    from worker.settings import Settings

_NOT_LOOKED_AT = "not looked at, because no broker responds"


def look_at_kafka(
    settings: Settings, subscriptions: Sequence[str], problem: TopicProblem
) -> Iterator[Finding]:
    """Look at the brokers, the topics, the dead-letter topic and the group. Blocks.

    Args:
        settings: the worker's.
        subscriptions: topic names and patterns `^...$`.
        problem: makes a problem of a topic.
    """
    connection = connect(settings.kafka)
    yield from look_at_brokers(settings, connection)
    if connection.metadata is None or connection.admin is None:
        subjects = [f"topic {each}" for each in subscriptions]
        subjects += [
            f"dead-letter topic {settings.kafka.dead_letter_topic}",
            f"group {settings.kafka.group_id}",
        ]
        yield from (Finding(subject, _NOT_LOOKED_AT) for subject in subjects)
        return
    topics = source_topics(connection.metadata, subscriptions)
    rights = topic_rights(connection, {*topics, settings.kafka.dead_letter_topic})
    yield from look_at_topics(connection, subscriptions, rights, problem)
    yield look_at_dead_letter_topic(settings, connection, subscriptions, rights)
    yield look_at_group(settings, connection, subscriptions)
