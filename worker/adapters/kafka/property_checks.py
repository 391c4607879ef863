"""Checks the user's properties with librdkafka itself, without connecting to anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException

from worker.adapters.kafka.client_log import CONFIGURATION_WARNING, OnLine
from worker.adapters.kafka.clients import make_admin, make_consumer, make_producer
from worker.adapters.kafka.properties import (
    admin_properties,
    consumer_properties,
    producer_properties,
    reader_properties,
)
from worker.adapters.kafka.refusals import Refusal, refusal, warning, without_tokens

if TYPE_CHECKING:
    from worker.documents.problems import Problem
    from worker.settings import Settings

Make = Callable[[dict[str, Any], OnLine], Any]


def property_problems(settings: Settings) -> list[Problem]:
    """What librdkafka refuses, and what it warns of. It names one at a time, so each is removed to find the next."""
    kafka, memory = settings.kafka, settings.memory
    clients = (
        (_consumer, consumer_properties(kafka, memory)),
        (_consumer, reader_properties(kafka, memory)),
        (_admin, admin_properties(kafka)),
        (_producer, producer_properties(kafka)),
    )
    user = kafka.properties
    found = dict.fromkeys(
        each for make, properties in clients for each in _refusals(make, dict(properties), user)
    )
    if kafka.auth is None:
        found |= dict.fromkeys(without_tokens(user))
    if kafka.missing_files:  # what is missing explains why properties do not go together
        found = {each: None for each in found if not each.is_combined}
    return [_problem(settings, each) for each in found]


def _problem(settings: Settings, found: Refusal) -> Problem:
    name = (found.name,) if found.name else ()
    return settings.problem_at(
        ("kafka", "properties", *name), found.message, found.hint, warning=found.warning
    )


def _refusals(make: Make, properties: dict[str, Any], user: Mapping[str, str]) -> Iterator[Refusal]:
    del properties["bootstrap.servers"]
    properties.pop("oauth_cb", None)  # the client would call it at once
    while True:
        warnings: list[str] = []
        try:
            make(properties, partial(_keep_warning, warnings))
        except KafkaException as error:
            refused = refusal(error.args[0].str(), user)
        except Exception:  # noqa: BLE001 - the binding raises what Python does with a value that it did not expect
            yield _unexpected(make, properties, user)
            return
        else:
            yield from filter(None, (warning(text, user) for text in warnings))
            return
        yield refused
        if refused.is_combined or properties.pop(refused.name, None) is None:
            return


def _keep_warning(warnings: list[str], facility: str, text: str) -> None:
    if facility == CONFIGURATION_WARNING:
        warnings.append(text)


def _unexpected(make: Make, properties: dict[str, Any], user: Mapping[str, str]) -> Refusal:
    """The one property without which the Python client does not fail."""
    for name in user:
        try:
            make({key: value for key, value in properties.items() if key != name}, lambda *_: None)
        except KafkaException:  # the next refusal, in librdkafka's words
            pass
        except Exception:  # noqa: BLE001, S112 - as above
            continue
        return Refusal(name, "the Python client does not accept this", "for tokens set kafka.auth")
    return Refusal("", "the Python client does not accept these properties", "for tokens set kafka.auth")


def _consumer(properties: dict[str, Any], on_line: OnLine) -> None:
    consumer = make_consumer(properties, on_line)
    consumer.poll(0)
    consumer.close()


def _producer(properties: dict[str, Any], on_line: OnLine) -> None:
    make_producer(properties, on_line).poll(0)


def _admin(properties: dict[str, Any], on_line: OnLine) -> None:
    make_admin(properties, on_line).poll(0)
