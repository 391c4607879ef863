"""Checks of the brokers and topics before anything starts: for `check --connect`, and for `run` at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from worker.adapters.kafka.client_errors import missing_topics
from worker.adapters.kafka.clients import make_admin, wait_for
from worker.adapters.kafka.error_codes import UNSUPPORTED_FEATURE
from worker.adapters.kafka.properties import admin_properties
from worker.adapters.kafka.subscriptions import is_subscribed
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka.admin import AdminClient

    from worker.settings import Kafka

DEAD_LETTER_BYTES = 2048
"""How much larger a dead letter is than its record: the worker's headers, without the API's own words."""

_CANNOT_CHECK = {
    UNSUPPORTED_FEATURE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def look_for_dead_letter_problems(
    kafka: Kafka, subscriptions: Sequence[str], *, small_is_wrong: bool = False
) -> list[Problem]:
    """What prevents the dead-letter topic from taking every record of these sources, or from keeping it. Blocks.

    A topic whose size limit is below that of the sources is a warning when a worker starts: dead letters that are too
    large are written without their value. For a check it is an error.

    Raises:
        KafkaException: the brokers did not respond; later they may.
    """
    name = kafka.dead_letter_topic
    admin = _admin(kafka)
    try:
        metadata = admin.list_topics(timeout=RESPONSE_SECONDS)
        if missing_topics(metadata, [name]):
            return [missing(name)]
        # Only the demo's cluster has no controller, and its topics have no settings.
        if metadata.controller_id not in metadata.brokers:
            return []
        sources = [topic for topic in metadata.topics if is_subscribed(topic, subscriptions)]
        settings = topic_settings(admin, [name, *sources])
    except KafkaException as error:
        if error.args[0].code() not in _CANNOT_CHECK:
            raise
        return [not_checked(name, error.args[0])] if error.args[0].code() != UNSUPPORTED_FEATURE else []
    finally:
        admin.poll(0)  # serves the client's log callback
    return judge(name, settings.pop(name), settings, small_is_wrong=small_is_wrong)


def missing(name: str) -> Problem:
    """There is no dead-letter topic."""
    hint = "create it; the worker does not, because its partitions and retention are yours to choose"
    return Problem(f"the dead-letter topic {name} does not exist", hint=hint)


def judge(
    name: str, own: dict[str, str], sources: dict[str, dict[str, str]], *, small_is_wrong: bool
) -> list[Problem]:
    """What is wrong with the dead-letter topic's own settings, compared with those of the source topics."""
    problems = []
    if "compact" in own["cleanup.policy"]:
        hint = "set cleanup.policy=delete: compaction keeps only the last dead letter of a key"
        problems.append(Problem(f"the dead-letter topic {name} is compacted", hint=hint))
    room = int(own["max.message.bytes"])
    larger = sorted(topic for topic, each in sources.items() if int(each["max.message.bytes"]) > room)
    if larger:
        message = f"the dead-letter topic {name} accepts {room} bytes a record, less than {', '.join(larger)} can hold"
        hint = f"raise its max.message.bytes, to {DEAD_LETTER_BYTES} above theirs; until then large values are left out"
        problems.append(Problem(message, hint=hint, warning=not small_is_wrong))
    return problems


def topic_settings(admin: AdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings of each topic. Raises KafkaException: there is no right to see one, or no response."""
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in dict.fromkeys(topics)]
    responses: dict[ConfigResource, Any] = admin.describe_configs(resources, request_timeout=RESPONSE_SECONDS)
    wait_for(responses.values(), RESPONSE_SECONDS)
    return {
        resource.name: {entry.name: str(entry.value) for entry in response.result().values()}
        for resource, response in responses.items()
    }


def not_checked(name: str, error: KafkaError) -> Problem:
    """The settings of the dead-letter topic could not be read."""
    hint = "allow DescribeConfigs, or make sure yourself that it is not compacted and accepts large records"
    message = f"the dead-letter topic {name} could not be checked: {error.str()}"
    return Problem(message, hint=hint, warning=True)


def _admin(kafka: Kafka) -> AdminClient:
    return make_admin(admin_properties(kafka))
