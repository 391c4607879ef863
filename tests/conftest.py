"""How Hypothesis draws, and a loud line at the end when there was no Kafka to test with."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

NO_KAFKA = "no Kafka to test with"
"""What a test that is skipped for want of a Kafka begins its reason with."""

# The same examples each time in CI, and no deadline, because a machine may be busy.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it here and not in tests/kafka: in a parallel run this file is all that the reporting process loads."""
    skipped = [
        report for report in terminalreporter.stats.get("skipped", []) if NO_KAFKA in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.section("NOT TESTED ON KAFKA", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests had no Kafka: install Java 17 or newer and Maven, or set KAFKA_BOOTSTRAP_SERVERS."
        )
