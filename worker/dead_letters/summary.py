"""The groups that `dlq list` prints: what failed, where, since when, how many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter
    from worker.dead_letters.resolutions import Resolution

MAX_GROUPS = 10_000
"""Bounds the number of groups, because Python mappers define their own reason codes; the rest is counted as `OTHER`. A
group takes about 1 kB, so 10 MB at most."""

AGES = {"under 1h": 3600.0, "under 24h": 86_400.0, "under 7d": 604_800.0}
"""Upper limits of the time since the failure, in seconds; anything older is counted as `older`."""


class Cause(NamedTuple):
    """The properties that the dead letters of a group share.

    Attributes:
        reason, stage, topic: see `DeadLetter`.
        rule: the mapping rule, as `file:line`; empty if no rule was reached.
        who, how, note: how they were resolved; empty if they wait.
    """

    reason: str
    stage: str
    topic: str
    rule: str
    who: str = ""
    how: str = ""
    note: str = ""


@dataclass(slots=True)
class Group:
    """Dead letters with the same cause.

    Attributes:
        count: how many there are.
        first, last: the times of the first and the last failure, epoch seconds.
        example: the handle of the newest one, for `dlq show`.
        replayed: how many of them were replayed and failed again.
        resolution: how they were resolved, with the time of the last mark; None if they wait.
    """

    count: int
    first: float
    last: float
    example: str
    replayed: int = 0
    resolution: Resolution | None = None


class Summary:
    """Counts dead letters by cause. Its memory grows with the number of groups, not of dead letters.

    Args:
        now: the time that ages are relative to, epoch seconds.

    Attributes:
        ages: the number of dead letters in each class of `AGES`, counted in the first that applies.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._groups: dict[Cause, Group] = {}
        self.ages: dict[str, int] = dict.fromkeys([*AGES, "older"], 0)

    def count(self, letter: DeadLetter, by: Resolution | None = None) -> None:
        """Count a dead letter, with how it was resolved if it does not wait."""
        resolved = () if by is None else (by.who, by.how, by.note)
        cause = Cause(letter.reason, letter.stage, letter.topic, letter.rule, *resolved)
        if cause not in self._groups and len(self._groups) >= MAX_GROUPS:
            cause = Cause("OTHER", "", "", "")
        at = letter.failed_at
        self.ages[_age(self._now - at)] += 1
        group = self._groups.get(cause)
        if group is None:
            group = self._groups[cause] = Group(0, at, at, letter.handle)
        group.count += 1
        group.replayed += letter.replays > 0
        group.first = min(group.first, at)
        if by is not None and (group.resolution is None or by.at > group.resolution.at):
            group.resolution = by
        if at >= group.last:
            group.last, group.example = at, letter.handle

    @property
    def total(self) -> int:
        """How many dead letters were counted."""
        return sum(group.count for group in self._groups.values())

    def largest_first(self) -> list[tuple[Cause, Group]]:
        """All groups, the largest first."""
        return sorted(self._groups.items(), key=lambda each: (-each[1].count, each[0]))


def _age(seconds: float) -> str:
    return next((name for name, below in AGES.items() if seconds < below), "older")
