"""A storm is not a stream of bad records: when nearly everything fails, the mapping or the API has changed.

Without a breaker, one wrong deployment would drain a topic into the dead-letter topic.
"""

from __future__ import annotations

from collections import deque


class StormBreaker:
    """Watches the outcomes of records.

    Args:
        consecutive: so many dead letters in a row are a storm.
        ratio: so is a larger share than this of the last `window` records, once there are that many.
        window: how many records the ratio looks back on.

    Attributes:
        consecutive: dead letters in a row, up to now.
        broken: there was a storm. It stays so.
    """

    def __init__(self, *, consecutive: int, ratio: float, window: int) -> None:
        self._limit = consecutive
        self._ratio = ratio
        self._window = window
        self._runs: deque[tuple[bool, int]] = deque()
        self._seen = 0
        self._failed = 0
        self.consecutive = 0
        self.broken = False

    @property
    def share(self) -> float:
        """Which share of the window failed."""
        return self._failed / self._seen if self._seen else 0.0

    def passed(self, records: int = 1) -> None:
        """So many records were delivered or ignored."""
        if records:
            self.consecutive = 0
            self._append(failed=False, records=records)

    def failed(self) -> bool:
        """One more record can never be delivered; True if that makes a storm."""
        self.consecutive += 1
        self._append(failed=True, records=1)
        if self.consecutive >= self._limit or (self._seen >= self._window and self.share > self._ratio):
            self.broken = True
        return self.broken

    def _append(self, *, failed: bool, records: int) -> None:
        """Outcomes are kept as runs: a batch of delivered calls is one entry."""
        if self._runs and self._runs[-1][0] is failed:
            records_before = self._runs.pop()[1]
            self._runs.append((failed, records_before + records))
        else:
            self._runs.append((failed, records))
        self._seen += records
        self._failed += records if failed else 0
        while self._seen > self._window:
            self._drop(self._seen - self._window)

    def _drop(self, excess: int) -> None:
        failed, records = self._runs.popleft()
        gone = min(excess, records)
        if records > gone:
            self._runs.appendleft((failed, records - gone))
        self._seen -= gone
        self._failed -= gone if failed else 0
