"""Which errors are terminal states, and which of them a new client would run into again."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from worker.adapters.kafka.fatal_errors import CANNOT_HEAL, can_heal, describe, is_fatal

FATAL = KafkaError._FATAL


def consumer_error(code: int) -> KafkaError:
    """A consumer's fatal error in librdkafka's words."""
    return KafkaError(
        FATAL, f"Fatal error: {KafkaError(code).str()}: ConsumerGroupHeartbeat fatal error: ..."
    )


@pytest.mark.parametrize("code", sorted(CANNOT_HEAL))
def test_permanent_errors_are_recognised_by_code_and_by_text(code: int) -> None:
    for error in (consumer_error(code), KafkaError(code, "why", True)):
        assert is_fatal(error)
        assert not can_heal(error)


def test_all_other_errors_may_heal() -> None:
    for code in (KafkaError.FENCED_INSTANCE_ID, KafkaError.UNRELEASED_INSTANCE_ID, KafkaError._FENCED):
        assert is_fatal(consumer_error(code))
        assert can_heal(consumer_error(code))


def test_a_transient_error_is_not_fatal() -> None:
    assert not is_fatal(KafkaError(KafkaError._TRANSPORT))


def test_the_description_omits_the_clients_prefix() -> None:
    assert describe(KafkaError(FATAL, "Fatal error: why: this")) == "why: this"
