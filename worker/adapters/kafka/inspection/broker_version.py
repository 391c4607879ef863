"""The release of a broker. Kafka's protocol does not report it, so it is inferred from the requests that it accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

DEBUG = {"debug": "feature"}
"""The property that makes librdkafka log what a broker takes."""

_SUPPORTED = re.compile(r"ApiKey (\w+) \(\d+\) Versions \d+\.\.(\d+)")

_RELEASES = (
    ("4.1 or newer", "Produce", 13),
    ("4.0", "Produce", 12),
    ("3.9", "Fetch", 17),
    ("3.8", "Produce", 11),
    ("3.7", "Fetch", 16),
    ("3.6", "AddPartitionsToTxn", 4),
    ("3.5", "Fetch", 15),
    ("3.3 or 3.4", "DescribeLogDirs", 4),
    ("3.2", "JoinGroup", 9),
    ("3.1", "Fetch", 13),
    ("3.0", "ListOffsets", 7),
    ("2.8", "Metadata", 11),
)
"""The newest release first: a request, and the version of it that came with the release.

Source: franz-go, `pkg/kversion/requests.go`, up to 3.9; the brokers themselves from there on.
"""


def highest_versions(lines: Iterable[str]) -> dict[str, int]:
    """The highest version of each request that a broker takes, from librdkafka's log."""
    found = (_SUPPORTED.search(line) for line in lines)
    return {match[1]: int(match[2]) for match in found if match}


def release(versions: Mapping[str, int]) -> str | None:
    """The release of Kafka that takes these versions; None if they are not known.

    Other implementations of the protocol, such as Redpanda or Event Hubs, get the release that they match.
    """
    if not versions:
        return None
    found = (name for name, request, version in _RELEASES if versions.get(request, -1) >= version)
    return next(found, "older than 2.8")
