"""The way of records that the function for usual events does not convert."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from worker.core.records import Converter, QueuedCall, Record, RejectedRecord

MANY = 8
"""So many other records in one run show that a topic's events are not the usual ones."""

RUNS = 127
"""How many runs are then converted as others at once, so that few records are decoded twice."""


class Others:
    """Converts records whose values are no usual events, or no events at all, by the function for any.

    Args:
        build: makes that function; called once, when the first of these records arrives, since it may be compiled then.
    """

    def __init__(self, build: Callable[[], Converter]) -> None:
        self._build = build
        self._built: Converter | None = None
        self._seen = 0
        self._runs = 0

    def prevail(self) -> bool:
        """Whether the run that begins is to be converted here as a whole; asked once for each run."""
        if self._runs:
            self._runs -= 1
        elif self._seen >= MANY:
            self._runs = RUNS
        self._seen = 0
        return self._runs > 0

    def convert_one(self, record: Record, calls: list[QueuedCall], rejected: list[RejectedRecord]) -> int:
        """Convert one record. See `Converter`."""
        self._seen += 1
        return self.convert([record], calls, rejected)

    def convert(
        self, records: Sequence[Record], calls: list[QueuedCall], rejected: list[RejectedRecord]
    ) -> int:
        """Convert a run of records. See `Converter`."""
        if self._built is None:
            self._built = self._build()
        return self._built(records, calls, rejected)
