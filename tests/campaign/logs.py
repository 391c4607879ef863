"""What the workers' own logs say of partitions that moved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from tests.campaign.history import Disruption, Move
from tests.campaign.world import SESSION_SECONDS


def lines(output: str, event: str) -> Iterator[dict[str, Any]]:
    """The log lines of one event; the last line may not be whole yet."""
    for line in output[: output.rfind("\n") + 1].splitlines():
        if f'"event": "{event}"' in line:
            yield json.loads(line)


def moves(outputs: Iterable[str], change: str) -> Iterator[Move]:
    """Each time that a member `assigned` or `revoked` partitions."""
    for output in outputs:
        for line in lines(output, f"partitions_{change}"):
            yield Move(_time(line), _partitions(line))


def losses(outputs: Iterable[str]) -> Iterator[Disruption]:
    """Each loss of partitions. A member notices it late: the new owner may have begun before."""
    for output in outputs:
        for line in lines(output, "partitions_lost"):
            at = _time(line)
            yield Disruption(at - 2 * SESSION_SECONDS, at + 1, "lost partitions")


def _time(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def _partitions(line: dict[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset((topic, number) for topic, numbers in line["partitions"].items() for number in numbers)
