"""Counters that exist before their first event."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.metrics import CallbackOptions, Meter
from opentelemetry.metrics import Observation as Point

PREFIX = "pipelines_worker"


class Tally:
    """A counter that keeps its sums itself and hands them over at each export: adding costs next to nothing.

    Args:
        meter: makes the instrument.
        name, unit, meaning: of the instrument.
        label: the name of its label; None for a single sum, which is exported from the start.
    """

    def __init__(self, meter: Meter, name: str, unit: str, meaning: str, label: str | None = None) -> None:
        self._label = label
        self._sums: dict[str, float] = {} if label else {"": 0}
        meter.create_observable_counter(f"{PREFIX}.{name}", [self._points], unit, meaning)

    def add(self, n: float, value: str = "") -> None:
        """Count `n` more for a value of the label."""
        self._sums[value] = self._sums.get(value, 0) + n

    def start(self, topic: str) -> None:
        """Export the topic's sum from now on, if this counts by topic."""
        if self._label == "topic":
            self.add(0, topic)

    def _points(self, _: CallbackOptions) -> list[Point]:
        return [
            Point(n, {self._label: value} if self._label else {}) for value, n in list(self._sums.items())
        ]


class TotalledCounter:
    """A counter whose labels are known only when something happens, and its total, which exists before.

    The total is a metric of its own, `NAME.overall`: added to the same metric, every sum over that would count twice.

    Args:
        meter: makes the instruments.
        name, unit, meaning: of the counter.
        total_by: the label that the total keeps (`topic`); None for a single sum.
    """

    def __init__(
        self, meter: Meter, name: str, unit: str, meaning: str, *, total_by: str | None = None
    ) -> None:
        self._counter = meter.create_counter(f"{PREFIX}.{name}", unit, meaning)
        self._total_by = total_by
        kept = f"by {total_by} only" if total_by else "without labels"
        self._total = Tally(
            meter, f"{name}.overall", unit, f"The same {kept}, from 0 on. {meaning}", total_by
        )

    def add(self, n: float, labels: Mapping[str, str] | None = None) -> None:
        """Count `n` more."""
        labels = labels or {}
        self._counter.add(n, labels)
        self._total.add(n, labels.get(self._total_by, "") if self._total_by else "")

    def start(self, topic: str) -> None:
        """Export the topic's total from now on, if that is by topic."""
        self._total.start(topic)
