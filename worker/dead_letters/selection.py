"""Which letters a replay takes, and why it leaves the others alone. Pure: values in, a verdict out.

What looks at the letter alone comes before the mapping (`Selection.before`), what looks at the calls after it
(`Selection.after`): calls that set or delete a state could undo a newer one, so old ones are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from worker.customerio.reference import DESTRUCTIVE_CALLS
from worker.customerio.semantic import call_name

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter

STATEFUL_CALLS = DESTRUCTIVE_CALLS | {"identify", "group"}
"""Calls whose effect depends on when they arrive: a late one may undo what a newer one has set."""


class LeftAlone(StrEnum):
    """Why a letter is not replayed; it stays in the topic, and another replay may take it."""

    NOT_SELECTED = "not selected by the filters"
    NO_ORIGIN = "its headers do not say where it came from"
    REPLAYED_TOO_OFTEN = "was replayed max_replays times (--include-replayed)"
    VALUE_LEFT_OUT = "its value was too large for the dead-letter topic"
    NOT_MAPPED = "no mapping names its topic any more"
    TOO_OLD = "older than --max-age"
    STALE = "an old identify, group or destructive call could undo a newer state (--allow-stale)"
    DESTRUCTIVE = "destructive (--skip-destructive)"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters are wanted; an empty filter wants all.

    Attributes:
        reasons, stages, topics: any of these; topics are those that the records came from.
        since, until: when it failed, epoch seconds; `until` is the first moment that is too late.
    """

    reasons: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None

    def want(self, letter: DeadLetter) -> bool:
        """Whether every filter wants this letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.stages or letter.stage in self.stages)
            and (not self.topics or letter.topic in self.topics)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """What a replay takes.

    Attributes:
        filters: which letters are meant.
        now: when the replay began, epoch seconds; ages are counted up to here.
        max_replays: a letter that was replayed so often is left alone; None: none is.
        max_age: of the record, seconds; None: any.
        stale_after: of a call that sets or deletes a state, seconds; None: any.
        skip_destructive: leave alone what would delete, suppress or merge.
    """

    filters: Filters
    now: float
    max_replays: int | None = None
    max_age: float | None = None
    stale_after: float | None = None
    skip_destructive: bool = False

    def before(self, letter: DeadLetter) -> LeftAlone | None:
        """Why to leave a waiting letter alone, as far as its headers say; None: it goes on to the mapping."""
        if not self.filters.want(letter):
            return LeftAlone.NOT_SELECTED
        if letter.origin is None:
            return LeftAlone.NO_ORIGIN
        if self.max_replays is not None and letter.replays >= self.max_replays:
            return LeftAlone.REPLAYED_TOO_OFTEN
        if not letter.has_its_value:
            return LeftAlone.VALUE_LEFT_OUT
        if self.max_age is not None and self.now - letter.happened_at > self.max_age:
            return LeftAlone.TOO_OLD
        return None

    def after(self, letter: DeadLetter, calls: Iterable[Mapping[str, Any]]) -> LeftAlone | None:
        """Why to leave it alone, seeing what it would send; None: it is replayed."""
        named = [(call_name(call), call) for call in calls]
        if self.skip_destructive and any(name in DESTRUCTIVE_CALLS for name, _ in named):
            return LeftAlone.DESTRUCTIVE
        if any(name in STATEFUL_CALLS and self._is_stale(letter, call) for name, call in named):
            return LeftAlone.STALE
        return None

    def _is_stale(self, letter: DeadLetter, call: Mapping[str, Any]) -> bool:
        """The older of record and call counts: a back-fill writes old events into young records."""
        if self.stale_after is None:
            return False
        return self.now - min(letter.happened_at, _said_at(call, letter.happened_at)) > self.stale_after


def _said_at(call: Mapping[str, Any], otherwise: float) -> float:
    """A call's own time, epoch seconds."""
    try:
        return datetime.fromisoformat(str(call.get("timestamp"))).timestamp()
    except ValueError:
        return otherwise
