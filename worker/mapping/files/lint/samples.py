"""The fixtures' records, which are the evidence of the lint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """A fixture's record, as rules see it.

    Attributes:
        topic: the record's topic.
        event: its value; None for a tombstone.
        kafka: what `_kafka` is.
        rejected: whether the fixture expects that it is rejected.
    """

    topic: str
    event: dict[str, Any] | None
    kafka: dict[str, Any]
    rejected: bool = False
