"""The rate limit: never more than so many requests in any window, as the API counts them.

A token bucket lets twice its size through in one window, and what is spaced here may arrive closer together there.
So a request occupies its place from before it is sent until `per` after it was answered: whichever two requests
share a place, the API saw them more than `per` apart.
"""

from __future__ import annotations

import math
from collections import deque


class SlidingWindow:
    """At most `requests` in any window of `per` seconds."""

    def __init__(self, requests: int, per: float) -> None:
        self._requests = requests
        self._per = per
        self._in_flight = 0
        self._answered: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent; infinite if first one in flight must be answered."""
        while self._answered and self._answered[0] + self._per <= now:
            self._answered.popleft()
        if self._in_flight + len(self._answered) < self._requests:
            return 0.0
        return self._answered[0] + self._per - now if self._answered else math.inf

    def enter(self) -> None:
        """A request is about to be sent; `wait` has just answered 0."""
        self._in_flight += 1

    def leave(self, now: float) -> None:
        """It was answered, or given up."""
        self._in_flight -= 1
        self._answered.append(now)
