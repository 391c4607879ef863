"""A storm is not a stream of bad records: when nearly everything fails, the mapping or the API has changed.

Without a breaker, one wrong deployment would drain a topic into the dead-letter topic.
"""

from __future__ import annotations

from collections import deque

from worker.core.reasons import Stage


class StormBreaker:
    """Watches the outcomes of records, apart for what happens before delivery and for delivery itself.

    Counted together, all the rejections of a backlog would come in a row: its records are mapped long before the first
    of them is delivered.

    Args:
        consecutive: so many dead letters in a row are a storm.
        ratio: so is a larger share than this of the last `window` records, once there are that many.
        window: how many records the ratio looks back on.

    Attributes:
        consecutive: dead letters in a row, when the last one came.
        share: which share of the window they were then.
        broken: there was a storm. It stays so.
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
        """So many records became calls, or are not for Customer.io."""
        self._mapping.passed(records)

    def delivered(self, calls: int) -> None:
        """So many calls were delivered."""
        self._delivery.passed(calls)

    def failed(self, stage: Stage) -> bool:
        """One more record can never be delivered; True if that makes a storm."""
        outcomes = self._delivery if stage is Stage.DELIVER else self._mapping
        outcomes.failed()
        self.consecutive, self.share = outcomes.consecutive, outcomes.share
        if self.consecutive >= self._limit or (outcomes.seen >= self._window and self.share > self._ratio):
            self.broken = True
        return self.broken


class _Outcomes:
    """The last `window` outcomes, kept as runs: a batch of delivered calls is one entry."""

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
