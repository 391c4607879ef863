"""Small histograms of durations, which processes can add up; percentiles cannot be added."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

STEPS = 8
"""Classes for each factor of ten. Each is a third wider than the one below it: a percentile is at most so far off."""

SHORTEST, LONGEST = 0.001, 10_000_000.0
"""Seconds, up to four months: a backlog may be as old as a topic's retention. So there are at most 81 classes."""

Histogram = Counter[str]
"""How many durations there were of each class, see `class_of`."""

Percentiles = dict[str, float | None]
"""`p50` and `p99` in seconds; None without any duration."""

_FIRST, _LAST = round(STEPS * math.log10(SHORTEST)), round(STEPS * math.log10(LONGEST))


def class_of(seconds: float) -> str:
    """The class of a duration: its upper bound in seconds, with three digits."""
    return _BOUNDS[_step(seconds)]


def total(histograms: Iterable[Mapping[str, int]]) -> Histogram:
    """Add up histograms, each with the number of durations by `class_of`."""
    found: Histogram = Counter()
    for each in histograms:
        found.update(each)
    return found


def percentiles(histogram: Mapping[str, int]) -> Percentiles:
    """The median and the 99th percentile of the durations."""
    return {"p50": _percentile(histogram, 0.5), "p99": _percentile(histogram, 0.99)}


def _percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """Spread the durations of a class evenly over it, on a logarithmic scale."""
    left = share * sum(histogram.values())
    for bound in sorted(histogram, key=float):
        n = histogram[bound]
        if left <= n:
            return float(f"{float(bound) * 10 ** ((left / n - 1) / STEPS):.3g}")
        left -= n
    return None


def _step(seconds: float) -> int:
    if not seconds > SHORTEST:
        return _FIRST
    return math.ceil(STEPS * math.log10(min(seconds, LONGEST)) - 1e-9)


_BOUNDS = {step: f"{float(f'{10 ** (step / STEPS):.3g}'):g}" for step in range(_FIRST, _LAST + 1)}
