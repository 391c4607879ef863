from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from worker.adapters.kafka.client_errors import ClientErrors


def metadata(*topics: str) -> Any:
    """What a broker knows of topics."""
    return SimpleNamespace(topics={topic: SimpleNamespace(error=None) for topic in topics})


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION])
def test_a_topic_is_missing_only_if_metadata_says_so(code: int) -> None:
    errors = ClientErrors()
    errors.report(KafkaError(code), "orders")
    assert errors.topics_doubtful
    assert errors.problems() == []
    errors.metadata_received(metadata("orders"), ["orders"])  # a partition was added to it
    assert not errors.topics_doubtful
    assert errors.problems() == []
    errors.report(KafkaError(code), "orders")
    errors.metadata_received(metadata(), ["orders"])
    assert [each["reason"] for each in errors.problems()] == ["TOPIC_MISSING"]
