"""The findings of `check --connect` about another system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.documents.problems import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at: `broker`, `topic orders`.
        text: what was found, in words.
        facts: the same for programs.
        problems: what is wrong with it, each with its place.
    """

    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


def count(n: int, word: str) -> str:
    """A number with its noun: `1 partition`, `12 partitions`."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    """A length of time in its largest unit: `3 days`, `1 hour`, `5 seconds`."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return count(int(seconds // size), unit)
    return count(max(0, int(seconds)), "second")
