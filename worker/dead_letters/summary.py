"""The groups that `dlq list` shows: what failed, where, since when, how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter

MAX_GROUPS = 10_000
"""Python mappers choose codes of their own: so many groups are told apart, the rest is `OTHER`."""


AGES = {"under 1h": 3600.0, "under 24h": 86_400.0, "under 7d": 604_800.0}
"""How long ago a letter failed, in seconds; what is older than all of these is `older`."""


class Cause(NamedTuple):
    """What the letters of a group have in common.

    Attributes:
        reason, stage, topic: as `DeadLetter` has them.
        rule: as `file:line`; "" where no rule was reached.
    """

    reason: str
    stage: str
    topic: str
    rule: str


@dataclass(slots=True)
class Group:
    """Letters with the same cause.

    Attributes:
        count: how many.
        first, last: when the first and the last of them failed, epoch seconds.
        example: where the newest of them lies, as `dlq show` takes it.
        replayed: how many of them were replayed before and failed again.
    """

    count: int
    first: float
    last: float
    example: str
    replayed: int = 0


class Summary:
    """Counts letters. What it holds grows with the number of groups, never with that of letters.

    Args:
        now: up to when ages are counted, epoch seconds.

    Attributes:
        ages: how many letters are how old, see `AGES`; each is in the first that it fits.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._groups: dict[Cause, Group] = {}
        self.ages: dict[str, int] = dict.fromkeys([*AGES, "older"], 0)

    def count(self, letter: DeadLetter) -> None:
        """Take in one letter that waits."""
        cause = Cause(letter.reason, letter.stage, letter.topic, letter.rule)
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
        if at >= group.last:
            group.last, group.example = at, letter.handle

    @property
    def total(self) -> int:
        """How many letters were counted."""
        return sum(group.count for group in self._groups.values())

    def largest_first(self) -> list[tuple[Cause, Group]]:
        """Every group, the largest first."""
        return sorted(self._groups.items(), key=lambda each: (-each[1].count, each[0]))


def _age(seconds: float) -> str:
    return next((name for name, below in AGES.items() if seconds < below), "older")
