"""What `check --connect` finds wrong with Kafka, without a configuration file."""

from __future__ import annotations

from collections.abc import Sequence

from worker.adapters.findings import Finding
from worker.adapters.kafka.inspection.kafka import look_at_kafka
from worker.documents.problems import Problem
from worker.settings import Kafka, Settings


def findings(kafka: Kafka, subscriptions: Sequence[str]) -> list[Finding]:
    """Everything that was looked at."""

    def problem(_: str, message: str, hint: str | None) -> Problem:
        return Problem(message, hint=hint)

    return list(look_at_kafka(Settings(kafka=kafka), subscriptions, problem))


def kafka_problems(kafka: Kafka, subscriptions: Sequence[str]) -> list[Problem]:
    """Everything that is wrong."""
    return [problem for finding in findings(kafka, subscriptions) for problem in finding.problems]
