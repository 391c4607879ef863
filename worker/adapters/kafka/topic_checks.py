"""What can be found wrong with the topics before anything starts (`check --connect`, and `run` at its start)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from worker.adapters.kafka.client_errors import NOT_KNOWN, missing_topics
from worker.adapters.kafka.clients import make_admin
from worker.adapters.kafka.properties import admin_properties
from worker.documents.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from worker.settings import Kafka

ANSWER_SECONDS = 10.0

STEP_SECONDS = 1.0
"""How long to wait before looking whether the login was refused."""

LETTER_BYTES = 2048
"""What a dead letter is larger than its record: our headers, without the API's own words."""

_UNSUPPORTED = KafkaError._UNSUPPORTED_FEATURE  # noqa: SLF001 - the client's public name for its own code

_NEVER_ANSWERED = {
    _UNSUPPORTED,
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
        if refused := next((each for each in errors if each.code() in NOT_KNOWN), None):
            hint = "see security.protocol, sasl.* and ssl.* in kafka.properties"
            return [Problem(f"kafka: {_own_words(refused)}", hint=hint)]
        hint = f"kafka.bootstrap_servers is {kafka.bootstrap_servers}"
        return [Problem(f"no broker answers: {error.args[0].str()}", hint=hint)]
    exact = [each for each in subscriptions if not each.startswith("^")]
    missing = [
        Problem(f"no such topic, or no right to see it: {name}") for name in missing_topics(metadata, exact)
    ]
    return missing + dead_letter_problems(kafka, subscriptions, small_is_wrong=True)


def _wait_for_metadata(admin: AdminClient, errors: list[KafkaError]) -> ClusterMetadata:
    """Ask what the cluster has; a refused login is noticed at once, where the answer would be awaited in vain.

    Raises:
        KafkaException: no broker answered in time, or they refuse the login.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            metadata: ClusterMetadata = admin.list_topics(timeout=STEP_SECONDS)
        except KafkaException:
            admin.poll(0)  # hands out what the client noticed meanwhile
            if time.monotonic() > deadline or any(error.code() in NOT_KNOWN for error in errors):
                raise
        else:
            return metadata


def _own_words(error: KafkaError) -> str:
    """What the client says, without the address of the connection before it."""
    text = error.str()
    at = text.find("uthentication failed")
    return text[at - 1 :] if at > 0 else text


def dead_letter_problems(
    kafka: Kafka, subscriptions: Sequence[str], *, small_is_wrong: bool = False
) -> list[Problem]:
    """What keeps the dead-letter topic from taking every record of these sources, and keeping it. Blocks.

    A topic that takes only smaller records than the sources do is a warning to a worker that starts: it writes what
    is too large without its value. To a check it is wrong.
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
    """The same, for who can wait until the brokers answer.

    Raises:
        KafkaException: the brokers did not answer; later they may.
    """
    name = kafka.dead_letter_topic
    admin = _admin(kafka)
    try:
        metadata = admin.list_topics(timeout=ANSWER_SECONDS)
        if missing_topics(metadata, [name]):
            hint = "create it; the worker does not, because its partitions and retention are yours to choose"
            return [Problem(f"the dead-letter topic {name} does not exist", hint=hint)]
        if metadata.controller_id < 0:  # nobody to ask for settings, as in the demo's cluster
            return []
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
        if error.args[0].code() not in _NEVER_ANSWERED:
            raise
        return _not_checked(name, error.args[0])
    finally:
        admin.poll(0)  # lets it log
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
        message = f"the dead-letter topic {name} takes {room} bytes a record, not all that {', '.join(larger)} can hold"
        hint = f"raise its max.message.bytes, to {LETTER_BYTES} above theirs; until then large values are left out"
        problems.append(Problem(message, hint=hint, warning=not small_is_wrong))
    return problems


def _settings(admin: AdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ResourceType.TOPIC, topic) for topic in dict.fromkeys(topics)]
    answers: dict[ConfigResource, Any] = admin.describe_configs(asked, request_timeout=ANSWER_SECONDS)
    return {
        resource.name: {entry.name: str(entry.value) for entry in answer.result().values()}
        for resource, answer in answers.items()
    }


def _not_checked(name: str, error: KafkaError) -> list[Problem]:
    if error.code() == _UNSUPPORTED:
        return []
    hint = "allow DescribeConfigs, or see to it yourself that it is not compacted and takes large records"
    message = f"the dead-letter topic {name} could not be checked: {error.str()}"
    return [Problem(message, hint=hint, warning=True)]


def _admin(kafka: Kafka) -> AdminClient:
    return make_admin(admin_properties(kafka))
