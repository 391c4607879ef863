"""A telemetry that keeps what it was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class RecordedTelemetry:
    """Stands in for `worker.telemetry.telemetry.Telemetry` where a test asks what was told.

    Attributes:
        told: verb and arguments, in order.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __getattr__(self, verb: str) -> Callable[..., None]:
        return lambda *arguments, **named: self.told.append((verb, *arguments, *named.values()))

    def of(self, verb: str) -> list[tuple[Any, ...]]:
        """The arguments of each time that this was told."""
        return [arguments[1:] for arguments in self.told if arguments[0] == verb]
