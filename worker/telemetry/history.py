"""The last hour for the status page, kept in the process, so that the page shows what happened before it was opened.

Counts are differences of totals, taken at the end of each interval; durations go into small histograms. So nothing is
done for a record. An hour takes about half a megabyte.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from worker.telemetry.durations import Histogram, Percentiles, class_of, percentiles, total
from worker.telemetry.metrics import Observation
from worker.telemetry.totals import Totals

FIRST_SECONDS = 1
"""The length of intervals while the process is young, so that there is something to see at once."""

FIRST_INTERVALS = 300
"""After about so many, five minutes, ten each become one of `INTERVAL_SECONDS`."""

INTERVAL_SECONDS = 10
"""The length of intervals later. They begin at multiples of it, so that those of several processes can be added."""

INTERVALS = 360
"""How many are kept: an hour."""

RECENT_SECONDS = 300
"""What the percentiles `recent` are about."""

_COUNTS = ("consumed", "ignored", "delivered", "dead_letters")
_DURATIONS = ("latency", "freshness")


@dataclass(slots=True)
class Interval:
    """What happened in some seconds.

    Attributes:
        at: when it began, epoch seconds.
        counts: by name: `consumed`, `ignored` and `dead_letters` are records, `delivered` are calls.
        lag, oldest_undelivered: at its end: records, and the age of the oldest one in seconds.
        durations: histograms by name: `latency` of requests that got a response, `freshness` of those delivered.
        percentiles: of the durations, by name; empty until the interval has ended.
    """

    at: int
    counts: dict[str, int] = field(default_factory=dict)
    lag: int = 0
    oldest_undelivered: float = 0.0
    durations: dict[str, Histogram] = field(default_factory=lambda: {name: Counter() for name in _DURATIONS})
    percentiles: dict[str, Percentiles] = field(default_factory=dict)


class History:
    """Collects the last hour.

    Args:
        totals: what is counted since the start.
        clock: epoch seconds.
    """

    def __init__(self, totals: Totals, clock: Callable[[], float] = time.time) -> None:
        self._totals = totals
        self._clock = clock
        self._every = FIRST_SECONDS
        self._ended: deque[Interval] = deque(maxlen=INTERVALS - 1)
        self._current = Interval(self._began())
        self._counted = _counts_of(totals)

    def request_answered(self, seconds: float) -> None:
        """A request got a response after this time."""
        self._current.durations["latency"][class_of(seconds)] += 1

    def delivered_after(self, seconds: float) -> None:
        """A request was accepted this long after the Kafka timestamp of its oldest record."""
        self._current.durations["freshness"][class_of(seconds)] += 1

    def sample(self, observe: Callable[[], Observation]) -> None:
        """End the current interval if its time is over. Called at least once a second."""
        if (began := self._began()) == self._current.at:
            return
        self._fill(observe())
        self._end(self._current)
        is_between = began // INTERVAL_SECONDS != self._current.at // INTERVAL_SECONDS
        if self._every == FIRST_SECONDS and len(self._ended) >= FIRST_INTERVALS and is_between:
            self._lengthen()
        self._current = Interval(self._began())
        self._counted = _counts_of(self._totals)

    def view(self, now: Observation) -> dict[str, Any]:
        """The intervals as `status.json` has them, the current one last."""
        self._fill(now)
        return _view([*self._ended, self._current], self._every)

    def _fill(self, now: Observation) -> None:
        counts = _counts_of(self._totals)
        self._current.counts = {name: counts[name] - self._counted[name] for name in _COUNTS}
        self._current.lag = sum(now.lag.values())
        self._current.oldest_undelivered = max(now.oldest_undelivered.values(), default=0.0)

    def _end(self, interval: Interval) -> None:
        interval.percentiles = {name: percentiles(each) for name, each in interval.durations.items()}
        self._ended.append(interval)

    def _lengthen(self) -> None:
        self._every = INTERVAL_SECONDS
        short = list(self._ended)
        self._ended.clear()
        for interval in _lengthened(short, self._every):
            self._end(interval)

    def _began(self) -> int:
        return int(self._clock()) // self._every * self._every


def combined_history(histories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The history of several processes as one: counts, lags and histograms are added, of ages the oldest is taken.

    The intervals are as long as those of the process that runs for longest.
    """
    every = max((each["interval_seconds"] for each in histories), default=FIRST_SECONDS)
    rows: dict[int, list[Interval]] = {}
    for history in histories:
        for interval in _lengthened(_intervals(history), every):
            rows.setdefault(interval.at, []).append(interval)
    added = []
    for at in sorted(rows)[-INTERVALS:]:
        interval = _added(at, rows[at])
        interval.lag = sum(each.lag for each in rows[at])
        interval.oldest_undelivered = max(each.oldest_undelivered for each in rows[at])
        added.append(interval)
    return _view(added, every)


def _lengthened(intervals: Iterable[Interval], every: int) -> list[Interval]:
    """The intervals of one process, put together to longer ones."""
    rows: dict[int, list[Interval]] = {}
    for interval in intervals:
        rows.setdefault(interval.at // every * every, []).append(interval)
    found = []
    for at, row in rows.items():
        interval = _added(at, row)
        interval.lag, interval.oldest_undelivered = row[-1].lag, row[-1].oldest_undelivered
        found.append(interval)
    return found


def _added(at: int, intervals: Sequence[Interval]) -> Interval:
    """An interval with the counts and histograms of others."""
    counts = {name: sum(each.counts[name] for each in intervals) for name in _COUNTS}
    durations = {name: total(each.durations[name] for each in intervals) for name in _DURATIONS}
    return Interval(at, counts, durations=durations)


def _view(intervals: Sequence[Interval], every: int) -> dict[str, Any]:
    return {
        "interval_seconds": every,
        "at": [each.at for each in intervals],
        **{name: [each.counts[name] for each in intervals] for name in _COUNTS},
        "lag": [each.lag for each in intervals],
        "oldest_undelivered": [round(each.oldest_undelivered, 3) for each in intervals],
        **{name: _durations(name, intervals) for name in _DURATIONS},
    }


def _durations(name: str, intervals: Sequence[Interval]) -> dict[str, Any]:
    """Percentiles of each interval and of the recent ones together, and the histograms, for adding up processes."""
    found = [each.percentiles.get(name) or percentiles(each.durations[name]) for each in intervals]
    since = intervals[-1].at - RECENT_SECONDS if intervals else 0
    return {
        "p50": [each["p50"] for each in found],
        "p99": [each["p99"] for each in found],
        "recent": percentiles(total(each.durations[name] for each in intervals if each.at >= since)),
        "counts": [dict(each.durations[name]) for each in intervals],
    }


def _intervals(view: dict[str, Any]) -> list[Interval]:
    """The intervals that a view was made of."""
    return [
        Interval(
            at,
            {name: view[name][index] for name in _COUNTS},
            view["lag"][index],
            view["oldest_undelivered"][index],
            {name: Counter(view[name]["counts"][index]) for name in _DURATIONS},
        )
        for index, at in enumerate(view["at"])
    ]


def _counts_of(totals: Totals) -> dict[str, int]:
    return {
        "consumed": totals.consumed,
        "ignored": totals.ignored,
        "delivered": totals.delivered,
        "dead_letters": sum(totals.dead_letters.values()),
    }
