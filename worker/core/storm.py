"""Recognises a storm: when nearly all records fail, the cause is the mapping or the API rather than the records.

Without it, one faulty deployment would move a whole topic to the dead-letter topic.
"""

from __future__ import annotations

from collections import deque

from worker.core.reasons import Stage


class StormBreaker:
    """Counts the outcomes of records, separately for mapping and for delivery.

    Counted together, all rejections of a backlog would be consecutive, because its records are mapped long before the
    first of them is delivered.

    Args:
        consecutive: this many consecutive dead letters are a storm.
        ratio: a share of dead letters above this among the last `window` records is a storm.
        window: the number of records for `ratio`; until there have been as many, it does not apply.

    Attributes:
        consecutive: the number of consecutive dead letters at the last failure.
        share: the share of dead letters in the window at the last failure.
        broken: whether there was a storm; never reset.
    """

    def __init__(self, *, consecutive: int, ratio: float, window: int) -> None:
        self._limit = consecutive
        self._ratio = ratio
        self._window = window
        self._mapping = _Outcomes(window)
        self._delivery = _Outcomes(window)
        self.consecutive = 0
        self.share = 0.0
        self.broken = False

    def mapped(self, records: int) -> None:
        """Count records that became calls or were ignored."""
        self._mapping.passed(records)

    def delivered(self, calls: int) -> None:
        """Count delivered calls."""
        self._delivery.passed(calls)

    def failed(self, stage: Stage) -> bool:
        """Count a record that can never be delivered; True if there is a storm."""
        outcomes = self._delivery if stage is Stage.DELIVER else self._mapping
        outcomes.failed()
        self.consecutive, self.share = outcomes.consecutive, outcomes.share
        if self.consecutive >= self._limit or (outcomes.seen >= self._window and self.share > self._ratio):
            self.broken = True
        return self.broken


class _Outcomes:
    """The last `window` outcomes, stored as runs: a batch of delivered calls is a single entry."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._runs: deque[tuple[bool, int]] = deque()
        self._failed = 0
        self.seen = 0
        self.consecutive = 0

    @property
    def share(self) -> float:
        return self._failed / self.seen if self.seen else 0.0

    def passed(self, records: int) -> None:
        if records:
            self.consecutive = 0
            self._append(failed=False, records=records)

    def failed(self) -> None:
        self.consecutive += 1
        self._append(failed=True, records=1)

    def _append(self, *, failed: bool, records: int) -> None:
        if self._runs and self._runs[-1][0] is failed:
            records_before = self._runs.pop()[1]
            self._runs.append((failed, records_before + records))
        else:
            self._runs.append((failed, records))
        self.seen += records
        self._failed += records if failed else 0
        while self.seen > self._window:
            self._drop(self.seen - self._window)

    def _drop(self, excess: int) -> None:
        failed, records = self._runs.popleft()
        gone = min(excess, records)
        if records > gone:
            self._runs.appendleft((failed, records - gone))
        self.seen -= gone
        self._failed -= gone if failed else 0
