"""Checks the user's properties with librdkafka itself, without connecting to anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import Consumer, KafkaException

from worker.adapters.kafka.clients import make_admin, make_consumer, make_producer
from worker.adapters.kafka.properties import (
    CONSUMER_ONLY,
    PRODUCER_ONLY,
    admin_properties,
    consumer_properties,
    producer_properties,
    reader_properties,
)
from worker.core.near_matches import did_you_mean

if TYPE_CHECKING:
    from worker.documents.problems import Problem
    from worker.settings import Settings

_OFTEN_USED = {
    "client.id", "client.rack", "security.protocol", "sasl.mechanism", "sasl.username", "sasl.password",
    "sasl.oauthbearer.config", "sasl.oauthbearer.method", "sasl.kerberos.service.name", "ssl.ca.location",
    "ssl.ca.pem", "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location", "ssl.key.password",
    "ssl.key.pem", "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification",
    "socket.timeout.ms", "socket.keepalive.enable", "message.max.bytes", "receive.message.max.bytes", "debug",
}  # fmt: skip
"""For near matches: librdkafka has no way to list the names that it knows."""

_UNKNOWN = re.compile(r'No such configuration property: "([^"]+)"')
_OUTSIDE = re.compile(r'Configuration property "([^"]+)" value .* is outside allowed range (\S+)')
_INVALID = re.compile(r'Invalid value (?:".*" )?for configuration property "([^"]+)"')
_NAMED = re.compile(r"`([a-z.]+)`")


class Refusal(NamedTuple):
    """What librdkafka refuses. `name` is "" if the fault is not in one property alone."""

    name: str
    message: str
    hint: str | None = None


def property_problems(settings: Settings) -> list[Problem]:
    """The properties that librdkafka refuses. It names one at a time, so each is removed to find the next."""
    clients = (
        (make_consumer, consumer_properties(settings.kafka, settings.memory)),
        (make_consumer, reader_properties(settings.kafka, settings.memory)),
        (make_admin, admin_properties(settings.kafka)),
        (make_producer, producer_properties(settings.kafka)),
    )
    user = settings.kafka.properties
    found = dict.fromkeys(
        refusal for make, properties in clients for refusal in _refusals(make, dict(properties), user)
    )
    return [_problem(settings, refusal) for refusal in found]


def _problem(settings: Settings, refusal: Refusal) -> Problem:
    name = (refusal.name,) if refusal.name else ()
    return settings.problem_at(("kafka", "properties", *name), refusal.message, refusal.hint)


def _refusals(
    make: Callable[..., Any], properties: dict[str, Any], user: Mapping[str, str]
) -> Iterator[Refusal]:
    del properties["bootstrap.servers"]
    while True:
        try:
            made = make(properties)
        except KafkaException as error:
            text = error.args[0].str()
        else:
            if isinstance(made, Consumer):
                made.close()
            return
        refusal = _translated(text, user)
        yield refusal
        if properties.pop(refusal.name, None) is None:
            return


def _translated(text: str, user: Mapping[str, str]) -> Refusal:
    """The message of librdkafka without the value, which may be a secret."""
    if unknown := _UNKNOWN.search(text):
        hint = did_you_mean(unknown[1], CONSUMER_ONLY | PRODUCER_ONLY | _OFTEN_USED)
        return Refusal(unknown[1], "librdkafka has no such property", hint)
    if invalid := _INVALID.search(text):
        return Refusal(invalid[1], "librdkafka does not accept this value")
    if outside := _OUTSIDE.search(text):
        return Refusal(outside[1], f"must be within {outside[2]}")
    named = next((name for name in _NAMED.findall(text) if name in user), "")
    return Refusal(named, f"librdkafka does not accept this combination: {text}")
