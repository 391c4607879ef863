"""How Hypothesis draws, and a loud line at the end when something to test with was missing."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

NO_KAFKA = "no Kafka to test with"
"""What a test that is skipped for want of a Kafka begins its reason with."""

NO_TOOL = "a program is missing"
"""What a test that is skipped for want of helm or promtool begins its reason with."""

NO_BROWSER = "no browser to test with"
"""What a test that is skipped for want of Chromium begins its reason with."""

# The same examples each time in CI, and no deadline, because a machine may be busy.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# A parallel run sets it for its processes, and commands would wrap their lines at it.
os.environ.pop("COLUMNS", None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it here and not in tests/kafka: in a parallel run this file is all that the reporting process loads."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    if n := sum(NO_KAFKA in reason for reason in reasons):
        terminalreporter.section("NOT TESTED ON KAFKA", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{n} tests had no Kafka: install Java 17 or newer and Maven, or set KAFKA_BOOTSTRAP_SERVERS."
        )
    if n := sum(NO_TOOL in reason for reason in reasons):
        terminalreporter.section("HELM CHART AND ALERTS NOT TESTED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{n} tests had no helm or no promtool: run `make tools`, or install them.")
    if n := sum(NO_BROWSER in reason for reason in reasons):
        terminalreporter.section("PAGES NOT TESTED IN A BROWSER", sep="!", red=True, bold=True)
        terminalreporter.line(f"{n} tests had no browser: install Chromium (Debian's package `chromium`).")
