"""The dead-letter topic: partitions, what it keeps, and whether it takes every record of the sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from worker.adapters.findings import Finding, count, duration
from worker.adapters.kafka.client_errors import missing_topics
from worker.adapters.kafka.inspection.rights import WRITE, lacks
from worker.adapters.kafka.inspection.topics import source_topics
from worker.adapters.kafka.topic_checks import judge, missing, not_checked, topic_settings

if TYPE_CHECKING:
    from worker.adapters.kafka.inspection.connection import Connection
    from worker.adapters.kafka.inspection.rights import Rights
    from worker.documents.problems import Problem
    from worker.settings import Settings

_PLACE = ("kafka", "dead_letter_topic")


def look_at_dead_letter_topic(
    settings: Settings, connection: Connection, subscriptions: Iterable[str], rights: Rights
) -> Finding:
    """The dead-letter topic, compared with the source topics."""
    admin, metadata = connection.admin, connection.metadata
    assert admin is not None
    assert metadata is not None
    name = settings.kafka.dead_letter_topic
    subject = f"dead-letter topic {name}"
    if missing_topics(metadata, [name]):
        return Finding(subject, "does not exist", {"name": name}, (_placed(settings, missing(name)),))
    partitions = count(len(metadata.topics[name].partitions), "partition")
    facts = {"name": name, "partitions": len(metadata.topics[name].partitions)}
    if not connection.has_controller:
        return Finding(subject, f"{partitions}; the brokers do not report its settings", facts)
    problems = _no_right_to_write(settings, rights)
    try:
        found = topic_settings(admin, [name, *sorted(source_topics(metadata, subscriptions))])
    except KafkaException as error:
        problems = (*problems, _placed(settings, not_checked(name, error.args[0])))
        return Finding(subject, f"{partitions}; its settings could not be read", facts, problems)
    own = found.pop(name)
    problems += tuple(_placed(settings, each) for each in judge(name, own, found, small_is_wrong=True))
    return Finding(subject, f"{partitions}; {_kept(own)}", {**facts, **_facts(own)}, problems)


def _no_right_to_write(settings: Settings, rights: Rights) -> tuple[Problem, ...]:
    name = settings.kafka.dead_letter_topic
    if not lacks(rights.get(name), WRITE):
        return ()
    hint = "allow WRITE on it, and DESCRIBE; the commands `dlq` need READ too"
    return (settings.problem_at(_PLACE, f"no right to write to the dead-letter topic {name}", hint),)


def _placed(settings: Settings, problem: Problem) -> Problem:
    return settings.problem_at(_PLACE, problem.message, problem.hint, warning=problem.warning)


def _kept(own: Mapping[str, str]) -> str:
    milliseconds, most = int(own["retention.ms"]), int(own["retention.bytes"])
    kept = f"kept for {duration(milliseconds / 1000)}" if milliseconds >= 0 else "kept for ever"
    limit = f", at most {most:,} bytes a partition" if most >= 0 else ""
    compacted = "; compacted" if "compact" in own["cleanup.policy"] else "; not compacted"
    return f"{kept}{limit}; takes {int(own['max.message.bytes']):,} bytes a record{compacted}"


def _facts(own: Mapping[str, str]) -> dict[str, Any]:
    return {
        "retention_ms": int(own["retention.ms"]),
        "retention_bytes": int(own["retention.bytes"]),
        "max_message_bytes": int(own["max.message.bytes"]),
        "cleanup_policy": own["cleanup.policy"],
    }
