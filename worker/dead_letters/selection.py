"""Which dead letters a replay sends, and why it leaves the others alone.

Some checks need only the headers and run before the mapping (`Selection.before`), others need the calls and run after
it (`Selection.after`). Old calls that set or delete data are left alone: Customer.io probably ignores an old profile
update, and an old destructive call undoes a newer state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from worker.customerio.advice import call_time
from worker.customerio.reference import DESTRUCTIVE_CALLS
from worker.customerio.semantic import call_name

if TYPE_CHECKING:
    from worker.dead_letters.dead_letter import DeadLetter

STATEFUL_CALLS = DESTRUCTIVE_CALLS | {"identify", "group"}
"""Calls whose effect depends on when they arrive: an old profile update is probably ignored, a late deletion is not."""


class LeftAlone(StrEnum):
    """Why a dead letter is not replayed. It stays in the topic, and another replay may select it."""

    NOT_SELECTED = "not selected by the filters"
    OVER_LIMIT = "over the limit (--limit)"
    NO_ORIGIN = "its headers do not name its source record"
    REPLAYED_TOO_OFTEN = "too many replays (--include-replayed)"
    VALUE_LEFT_OUT = "its value was too large for the dead-letter topic"
    NOT_MAPPED = "no mapping names its topic"
    TOO_OLD = "older than --max-age"
    STALE = (
        "stale: an old identify or group is probably ignored, an old destructive call undoes a newer state "
        "(--allow-stale)"
    )
    DESTRUCTIVE = "destructive (--skip-destructive)"


class Window(NamedTuple):
    """A span of time, epoch seconds; `until` is exclusive, None means no limit."""

    since: float | None = None
    until: float | None = None

    def __contains__(self, seconds: object) -> bool:
        """Whether a time lies in it."""
        assert isinstance(seconds, float)
        return (self.since is None or seconds >= self.since) and (self.until is None or seconds < self.until)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which dead letters to select. A filter that is not set matches all.

    Attributes:
        reasons, stages, topics: match any of these; topics are source topics.
        windows: the time of failure is in any of these.
    """

    reasons: frozenset[str] = frozenset()
    stages: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    windows: tuple[Window, ...] = ()

    def __bool__(self) -> bool:
        """Whether any filter is set."""
        return bool(self.reasons or self.stages or self.topics or self.windows)

    def match(self, letter: DeadLetter) -> bool:
        """Whether every filter matches this dead letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.stages or letter.stage in self.stages)
            and (not self.topics or letter.topic in self.topics)
            and (not self.windows or any(letter.failed_at in window for window in self.windows))
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters a replay sends.

    Attributes:
        filters: the user's filters.
        now: when the replay began, epoch seconds; ages are relative to it.
        max_replays: dead letters that were replayed this many times are left alone; None means no limit.
        max_age: the largest age of the source record, seconds; None means no limit.
        stale_after: the largest age of a call that sets or deletes data, seconds; None means no limit.
        allow_stale: whether to send calls beyond that age all the same.
        skip_destructive: whether to leave calls alone that delete, suppress or merge.
        limit: the largest number of dead letters to replay, the first ones in the topic; None means no limit.
    """

    filters: Filters
    now: float
    max_replays: int | None = None
    max_age: float | None = None
    stale_after: float | None = None
    allow_stale: bool = False
    skip_destructive: bool = False
    limit: int | None = None

    def before(self, letter: DeadLetter) -> LeftAlone | None:
        """Why to leave a waiting dead letter alone, judged by its headers; None if it is to be mapped."""
        if not self.filters.match(letter):
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
        """Why to leave it alone, judged by the calls that it would send; None if it is replayed."""
        named = [(call_name(call), call) for call in calls]
        if self.skip_destructive and any(name in DESTRUCTIVE_CALLS for name, _ in named):
            return LeftAlone.DESTRUCTIVE
        if any(name in STATEFUL_CALLS and self._is_stale(letter, call) for name, call in named):
            return LeftAlone.STALE
        return None

    def _is_stale(self, letter: DeadLetter, call: Mapping[str, Any]) -> bool:
        """Whether the record or the call is too old: a backfill writes old events in new records."""
        if self.stale_after is None or self.allow_stale:
            return False
        return self.now - min(letter.happened_at, call_time(call, letter.happened_at)) > self.stale_after
