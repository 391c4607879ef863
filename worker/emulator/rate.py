"""How fast requests come, against the API's published limit."""

from __future__ import annotations

from collections import deque


class RateWindow:
    """Counts requests in the sliding window that ends with the newest one.

    Attributes:
        requests, per: the limit: so many requests in so many seconds (API reference: 3,000 in 3 s).
        busiest: the most that any window held.
        over: how many requests came when their window was full.
    """

    def __init__(self, requests: int = 3_000, per: float = 3.0) -> None:
        self.requests = requests
        self.per = per
        self.busiest = 0
        self.over = 0
        self._arrivals: deque[float] = deque()

    def arrived(self, now: float) -> bool:
        """Count a request; answers whether it is within the limit. `now` never goes back (seconds)."""
        while self._arrivals and self._arrivals[0] <= now - self.per:
            self._arrivals.popleft()
        self._arrivals.append(now)
        self.busiest = max(self.busiest, len(self._arrivals))
        within = len(self._arrivals) <= self.requests
        self.over += not within
        return within

    def clear(self) -> None:
        """Start counting anew; the current window stays, since its requests did come."""
        self.busiest = len(self._arrivals)
        self.over = 0
