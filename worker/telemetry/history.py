"""The last hour for the status page, kept in the process, so that whoever opens the page sees what was.

Counts are differences of totals, taken every ten seconds; durations go into small histograms. So nothing is done for a
record. An hour takes about half a megabyte.
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

INTERVAL_SECONDS = 10
"""The length of an interval. Intervals begin at multiples of it, so that those of several processes can be added."""

INTERVALS = 360
"""How many are kept: an hour."""

RECENT = 30
"""How many intervals, besides the current one, `recent` percentiles are about: five minutes."""

_COUNTS = ("consumed", "ignored", "delivered", "dead_letters")
_DURATIONS = ("latency", "freshness")


@dataclass(slots=True)
class Interval:
    """What happened in ten seconds.

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
        """End the current interval if its time is over. Called about once a second."""
        if (began := self._began()) != self._current.at:
            self._fill(observe())
            self._current.percentiles = {
                name: percentiles(each) for name, each in self._current.durations.items()
            }
            self._ended.append(self._current)
            self._current = Interval(began)
            self._counted = _counts_of(self._totals)

    def view(self, now: Observation) -> dict[str, Any]:
        """The intervals as `status.json` has them, the current one last."""
        self._fill(now)
        intervals = [*self._ended, self._current]
        return {
            "interval_seconds": INTERVAL_SECONDS,
            "at": [each.at for each in intervals],
            **{name: [each.counts[name] for each in intervals] for name in _COUNTS},
            "lag": [each.lag for each in intervals],
            "oldest_undelivered": [round(each.oldest_undelivered, 3) for each in intervals],
            **{
                name: _durations(
                    [each.durations[name] for each in intervals],
                    [each.percentiles.get(name) for each in intervals],
                )
                for name in _DURATIONS
            },
        }

    def _fill(self, now: Observation) -> None:
        counts = _counts_of(self._totals)
        self._current.counts = {name: counts[name] - self._counted[name] for name in _COUNTS}
        self._current.lag = sum(now.lag.values())
        self._current.oldest_undelivered = max(now.oldest_undelivered.values(), default=0.0)

    def _began(self) -> int:
        return int(self._clock()) // INTERVAL_SECONDS * INTERVAL_SECONDS


def combined_history(histories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The history of several processes as one: counts, lags and histograms are added, of ages the oldest is taken."""
    rows: dict[int, list[tuple[dict[str, Any], int]]] = {}
    for history in histories:
        for index, at in enumerate(history["at"]):
            rows.setdefault(at, []).append((history, index))
    kept = [rows[at] for at in sorted(rows)[-INTERVALS:]]

    def column(name: str, add: Callable[[Iterable[Any]], Any] = sum) -> list[Any]:
        return [add(history[name][index] for history, index in row) for row in kept]

    def durations(name: str) -> dict[str, Any]:
        return _durations([total(history[name]["counts"][index] for history, index in row) for row in kept])

    return {
        "interval_seconds": INTERVAL_SECONDS,
        "at": sorted(rows)[-INTERVALS:],
        **{name: column(name) for name in (*_COUNTS, "lag")},
        "oldest_undelivered": column("oldest_undelivered", max),
        **{name: durations(name) for name in _DURATIONS},
    }


def _durations(
    histograms: Sequence[Histogram], known: Sequence[Percentiles | None] | None = None
) -> dict[str, Any]:
    """Percentiles of each interval and of the recent ones together, and the histograms, for adding up processes."""
    known = known or [None] * len(histograms)
    found = [already or percentiles(each) for each, already in zip(histograms, known, strict=True)]
    return {
        "p50": [each["p50"] for each in found],
        "p99": [each["p99"] for each in found],
        "recent": percentiles(total(histograms[-RECENT - 1 :])),
        "counts": [dict(each) for each in histograms],
    }


def _counts_of(totals: Totals) -> dict[str, int]:
    return {
        "consumed": totals.consumed,
        "ignored": totals.ignored,
        "delivered": totals.delivered,
        "dead_letters": sum(totals.dead_letters.values()),
    }
