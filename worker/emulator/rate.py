"""The rate of requests, compared with the API's published limit."""

from __future__ import annotations

from collections import deque


class RateWindow:
    """Counts requests in the sliding window that ends with the newest one.

    Attributes:
        requests, per: the limit: `requests` in `per` seconds (API reference: 3,000 in 3 s).
        busiest: the highest number of requests in any window.
        over: number of requests beyond the limit.
    """

    def __init__(self, requests: int = 3_000, per: float = 3.0) -> None:
        self.requests = requests
        self.per = per
        self.busiest = 0
        self.over = 0
        self._arrivals: deque[float] = deque()

    def arrived(self, now: float) -> bool:
        """Count a request; returns whether it is within the limit. `now` is a monotonic time in seconds."""
        while self._arrivals and self._arrivals[0] <= now - self.per:
            self._arrivals.popleft()
        self._arrivals.append(now)
        self.busiest = max(self.busiest, len(self._arrivals))
        within = len(self._arrivals) <= self.requests
        self.over += not within
        return within

    def clear(self) -> None:
        """Reset the counters. The current window stays, because its requests did arrive."""
        self.busiest = len(self._arrivals)
        self.over = 0
