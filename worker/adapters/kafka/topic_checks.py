"""Checks of the brokers and topics before anything starts: for `check --connect`, and for `run` at its start."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from worker.adapters.kafka.client_errors import NO_SUCH_TOPIC, missing_topics
from worker.adapters.kafka.clients import make_admin, wait_for
from worker.adapters.kafka.error_codes import UNSUPPORTED_FEATURE
from worker.adapters.kafka.own_words import AUTHENTICATION_FAILED
from worker.adapters.kafka.properties import admin_properties
from worker.adapters.kafka.timeouts import RESPONSE_SECONDS
from worker.documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.settings import Kafka

LOGIN_POLL_SECONDS = 1.0
"""How long to wait for metadata before checking whether the login was refused: the delay to report a wrong password."""

DEAD_LETTER_BYTES = 2048
"""How much larger a dead letter is than its record: the worker's headers, without the API's own words."""

_CANNOT_CHECK = {
    UNSUPPORTED_FEATURE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def kafka_problems(kafka: Kafka, subscriptions: Sequence[str]) -> list[Problem]:
    """Everything that is wrong with the brokers, the source topics and the dead-letter topic. Blocks."""
    errors: list[KafkaError] = []
    admin = make_admin({**admin_properties(kafka), "error_cb": errors.append})
    try:
        metadata = _wait_for_metadata(admin, errors)
    except KafkaException as error:
        if refused := next((each for each in errors if each.code() in AUTHENTICATION_FAILED), None):
            hint = "see security.protocol, sasl.* and ssl.* in kafka.properties"
            return [Problem(f"kafka: {_own_words(refused)}", hint=hint)]
        hint = f"kafka.bootstrap_servers is {kafka.bootstrap_servers}"
        return [Problem(f"no broker responds: {error.args[0].str()}", hint=hint)]
    exact = [each for each in subscriptions if not each.startswith("^")]
    missing = [Problem(f"{NO_SUCH_TOPIC}: {name}") for name in missing_topics(metadata, exact)]
    return missing + dead_letter_problems(kafka, subscriptions, small_is_wrong=True)


def _wait_for_metadata(admin: AdminClient, errors: list[KafkaError]) -> ClusterMetadata:
    """Ask for the metadata. A refused login ends the wait at once: there would never be a response.

    Raises:
        KafkaException: no broker responded in time, or the login was refused.
    """
    deadline = time.monotonic() + RESPONSE_SECONDS
    while True:
        try:
            metadata: ClusterMetadata = admin.list_topics(timeout=LOGIN_POLL_SECONDS)
        except KafkaException:
            admin.poll(0)  # calls `error_cb` with what the client noticed meanwhile
            if time.monotonic() > deadline or any(error.code() in AUTHENTICATION_FAILED for error in errors):
                raise
        else:
            return metadata


def _own_words(error: KafkaError) -> str:
    """The client's message, without the address of the connection in front of it."""
    text = error.str()
    at = text.find("uthentication failed")
    return text[at - 1 :] if at > 0 else text


def dead_letter_problems(
    kafka: Kafka, subscriptions: Sequence[str], *, small_is_wrong: bool = False
) -> list[Problem]:
    """What prevents the dead-letter topic from taking every record of these sources, or from keeping it. Blocks.

    A topic whose size limit is below that of the sources is a warning when a worker starts: dead letters that are too
    large are written without their value. For a check it is an error.
    """
    try:
        return look_for_dead_letter_problems(kafka, subscriptions, small_is_wrong=small_is_wrong)
    except KafkaException as error:
        message = (
            f"the dead-letter topic {kafka.dead_letter_topic} could not be checked: {error.args[0].str()}"
        )
        return [Problem(message)]


def look_for_dead_letter_problems(
    kafka: Kafka, subscriptions: Sequence[str], *, small_is_wrong: bool = False
) -> list[Problem]:
    """As `dead_letter_problems`, for callers that can retry when the brokers do not respond.

    Raises:
        KafkaException: the brokers did not respond; later they may.
    """
    name = kafka.dead_letter_topic
    admin = _admin(kafka)
    try:
        metadata = admin.list_topics(timeout=RESPONSE_SECONDS)
        if missing_topics(metadata, [name]):
            hint = "create it; the worker does not, because its partitions and retention are yours to choose"
            return [Problem(f"the dead-letter topic {name} does not exist", hint=hint)]
        if (
            metadata.controller_id not in metadata.brokers
        ):  # the demo's cluster, whose topics have no settings
            return []
        sources = [
            topic
            for topic in metadata.topics
            if any(re.match(f"(?:{each})$", topic) for each in subscriptions)
        ]
        settings = _settings(admin, [name, *sources])
    except KafkaException as error:
        if error.args[0].code() not in _CANNOT_CHECK:
            raise
        return _not_checked(name, error.args[0])
    finally:
        admin.poll(0)  # serves the client's log callback
    return _judge(name, settings.pop(name), settings, small_is_wrong=small_is_wrong)


def _judge(
    name: str, own: dict[str, str], sources: dict[str, dict[str, str]], *, small_is_wrong: bool
) -> list[Problem]:
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


def _settings(admin: AdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in dict.fromkeys(topics)]
    responses: dict[ConfigResource, Any] = admin.describe_configs(resources, request_timeout=RESPONSE_SECONDS)
    wait_for(responses.values(), RESPONSE_SECONDS)
    return {
        resource.name: {entry.name: str(entry.value) for entry in response.result().values()}
        for resource, response in responses.items()
    }


def _not_checked(name: str, error: KafkaError) -> list[Problem]:
    if error.code() == UNSUPPORTED_FEATURE:
        return []
    hint = "allow DescribeConfigs, or make sure yourself that it is not compacted and accepts large records"
    message = f"the dead-letter topic {name} could not be checked: {error.str()}"
    return [Problem(message, hint=hint, warning=True)]


def _admin(kafka: Kafka) -> AdminClient:
    return make_admin(admin_properties(kafka))
