"""The rate limit: no more than a number of requests in any window, as the API counts them.

A token bucket allows twice its size within one window, and requests may arrive closer together than they were sent. So
there are as many slots as requests, and a request holds one from before it is sent until `per` seconds after its
response. Of two requests with the same slot, the API receives the second more than `per` after the first.
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
        """Seconds until a request may be sent; infinity if it depends on the response of one in flight."""
        while self._answered and self._answered[0] + self._per <= now:
            self._answered.popleft()
        if self._in_flight + len(self._answered) < self._requests:
            return 0.0
        return self._answered[0] + self._per - now if self._answered else math.inf

    def enter(self) -> None:
        """Count a request that is about to be sent; `wait` must just have returned 0."""
        self._in_flight += 1

    def leave(self, now: float) -> None:
        """Count the response of a request, or that it ended without one."""
        self._in_flight -= 1
        self._answered.append(now)
