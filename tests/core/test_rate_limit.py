from __future__ import annotations

import heapq
import math

from hypothesis import given
from hypothesis import strategies as st

from worker.core.rate_limit import SlidingWindow

latencies = st.tuples(st.floats(0, 5), st.floats(0, 5))
"""Seconds until a request arrives, and from there until its answer does."""


def arrivals(requests: int, per: float, travels: list[tuple[float, float]]) -> list[float]:
    """Send as fast as the window lets us, and answer when the API saw each request."""
    window, now = SlidingWindow(requests, per), 0.0
    responses: list[float] = []
    seen = []
    for before, after in travels:
        while (wait := window.wait(now)) > 0:
            now = min(now + wait, responses[0] if responses else math.inf)
            while responses and responses[0] <= now:
                window.leave(heapq.heappop(responses))
        window.enter()
        seen.append(now + before)
        heapq.heappush(responses, now + before + after)
    return sorted(seen)


@given(st.integers(1, 5), st.floats(0.1, 3), st.lists(latencies, max_size=40))
def test_the_api_receives_no_more_requests_than_allowed_in_any_window(
    requests: int, per: float, travels: list[tuple[float, float]]
) -> None:
    """However long each is on its way: what leaves here far apart may arrive there close together."""
    seen = arrivals(requests, per, travels)
    assert all(later - first >= per - 1e-9 for first, later in zip(seen, seen[requests:], strict=False))


@given(st.integers(1, 5), st.floats(0.1, 3))
def test_as_many_requests_as_allowed_go_at_once(requests: int, per: float) -> None:
    window = SlidingWindow(requests, per)
    for _ in range(requests):
        assert window.wait(0.0) == 0
        window.enter()
    assert window.wait(0.0) == math.inf


def test_a_slot_is_free_one_window_after_its_response() -> None:
    window = SlidingWindow(1, 3.0)
    window.enter()
    window.leave(10.0)
    assert window.wait(10.0) == 3.0
    assert window.wait(12.5) == 0.5
    assert window.wait(13.0) == 0.0


def test_the_wait_is_infinite_only_if_a_request_in_flight_has_to_respond_first() -> None:
    window = SlidingWindow(2, 3.0)
    window.enter()
    window.enter()
    window.leave(1.0)
    assert window.wait(2.0) == 2.0
