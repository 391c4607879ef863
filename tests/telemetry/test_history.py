"""What the status page knows of the last hour, of one process and of several."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.telemetry.durations import STEPS, class_of, percentiles, total
from worker.telemetry.history import FIRST_INTERVALS, INTERVAL_SECONDS, INTERVALS, History, combined_history
from worker.telemetry.metrics import Observation
from worker.telemetry.totals import Totals

IDLE = Observation()


class Worker:
    """Totals that grow, and a clock. It has run for long enough that its intervals are the longer ones."""

    def __init__(self, now: float = 1_000_000.0, *, is_young: bool = False) -> None:
        self.now = now
        self.totals = Totals()
        self.history = History(self.totals, clock=lambda: self.now)
        if not is_young:
            self.history._lengthen()

    def works(self, intervals: int, consumed: int = 0, observation: Observation = IDLE) -> None:
        """`consumed` records in each interval, sampled twice a second."""
        for _ in range(intervals):
            self.totals.consumed += consumed
            for _ in range(2 * INTERVAL_SECONDS):
                self.now += 0.5
                self.history.sample(lambda: observation)

    def view(self, observation: Observation = IDLE) -> dict[str, Any]:
        return self.history.view(observation)


def test_counts_are_those_of_each_interval_and_of_the_current_one() -> None:
    worker = Worker()
    worker.works(2, consumed=7)
    worker.totals.consumed += 3
    worker.totals.dead_letters["INVALID_JSON"] = 2
    view = worker.view()
    assert view["at"] == [1_000_000, 1_000_010, 1_000_020]
    assert view["consumed"] == [7, 7, 3]
    assert view["dead_letters"] == [0, 0, 2]
    assert worker.view() == view, "looking changes nothing"


def test_an_hour_is_kept_and_no_more() -> None:
    worker = Worker()
    worker.works(3 * INTERVALS, consumed=1)
    view = worker.view()
    assert len(view["at"]) == INTERVALS
    assert view["at"][-1] - view["at"][0] == 3600 - INTERVAL_SECONDS
    assert {len(view[name]) for name in ("consumed", "lag", "oldest_undelivered")} == {INTERVALS}
    assert {len(view["latency"][name]) for name in ("p50", "p99", "counts")} == {INTERVALS}


def test_lag_and_age_are_those_at_the_end_of_an_interval() -> None:
    worker = Worker()
    worker.works(
        1, observation=Observation(lag={("a", 0): 3, ("a", 1): 4}, oldest_undelivered={("a", 0): 2.5})
    )
    assert (worker.view()["lag"], worker.view()["oldest_undelivered"]) == ([7, 0], [2.5, 0.0])


def test_latency_and_freshness_have_percentiles_of_each_interval_and_of_the_last_minutes() -> None:
    worker = Worker()
    for _ in range(99):
        worker.history.request_answered(0.05)
    worker.works(1)
    worker.history.request_answered(9.0)
    worker.history.delivered_after(3.0)
    view = worker.view()
    before, now = view["latency"]["p50"]
    assert before == pytest.approx(0.05, rel=0.34)
    assert now == pytest.approx(9, rel=0.34)
    assert view["latency"]["recent"]["p50"] == pytest.approx(0.05, rel=0.34)
    assert view["freshness"]["p99"][0] is None
    worker.works(INTERVALS // 2)
    assert worker.view()["latency"]["recent"] == {"p50": None, "p99": None}


def test_after_a_blocked_loop_time_is_missing_but_no_count() -> None:
    worker = Worker()
    worker.totals.consumed = 5
    worker.now += 95
    worker.works(1)
    view = worker.view()
    assert view["at"] == [1_000_000, 1_000_090, 1_000_100]
    assert sum(view["consumed"]) == 5


def test_a_young_process_has_an_interval_for_each_second() -> None:
    worker = Worker(is_young=True)
    worker.works(1, consumed=7)
    view = worker.view()
    assert view["interval_seconds"] == 1
    assert view["at"] == list(range(1_000_000, 1_000_011))
    assert view["consumed"] == [7, *[0] * 10]


def test_after_some_minutes_ten_intervals_become_one_and_nothing_is_lost() -> None:
    worker = Worker(1_000_005.0, is_young=True)
    worker.history.request_answered(0.05)
    worker.works(
        FIRST_INTERVALS // INTERVAL_SECONDS + 2, consumed=3, observation=Observation(lag={("a", 0): 9})
    )
    view = worker.view()
    assert view["interval_seconds"] == INTERVAL_SECONDS
    assert view["at"] == list(range(1_000_000, 1_000_330, 10))
    assert sum(view["consumed"]) == 3 * (FIRST_INTERVALS // INTERVAL_SECONDS + 2)
    assert view["lag"] == [9] * 32 + [0]
    assert view["latency"]["counts"][0] == {class_of(0.05): 1}


def test_a_process_that_was_started_again_is_added_to_older_ones() -> None:
    old, young = Worker(), Worker(1_000_000.0, is_young=True)
    old.works(2, consumed=5)
    young.works(1, consumed=2, observation=Observation(lag={("a", 0): 4}))
    both = combined_history([old.view(), young.view()])
    assert both["interval_seconds"] == INTERVAL_SECONDS
    assert both["consumed"] == [7, 5, 0]
    assert both["lag"] == [4, 0, 0]


def test_one_process_is_shown_as_it_is_and_none_as_nothing() -> None:
    worker = Worker()
    worker.history.request_answered(0.2)
    worker.works(3, consumed=1)
    assert combined_history([worker.view()]) == worker.view()
    assert combined_history([])["at"] == []


def test_processes_are_added_interval_by_interval() -> None:
    early, late = Worker(1_000_000.0), Worker(1_000_010.0)
    early.works(2, consumed=5)
    late.works(1, consumed=2, observation=Observation(oldest_undelivered={("a", 0): 8.0}, lag={("a", 0): 1}))
    both = combined_history([late.view(), early.view()])
    assert both["at"] == [1_000_000, 1_000_010, 1_000_020]
    assert both["consumed"] == [5, 7, 0]
    assert both["lag"] == [0, 1, 0]
    assert both["oldest_undelivered"] == [0.0, 8.0, 0.0]


def test_percentiles_of_processes_come_from_all_their_requests() -> None:
    """Nine requests of 10 ms here and one of 5 s there: the median is 10 ms, not the mean of two medians."""
    fast, slow = Worker(), Worker()
    for _ in range(9):
        fast.history.request_answered(0.01)
    slow.history.request_answered(5.0)
    latency = combined_history([fast.view(), slow.view()])["latency"]
    assert latency["p50"] == [pytest.approx(0.01, rel=0.34)]
    assert latency["p99"] == [pytest.approx(5, rel=0.34)]


def test_the_history_of_many_processes_ends_with_the_newest_hour() -> None:
    gone, here = Worker(), Worker(1_000_000.0 + 7200)
    gone.works(2)
    here.works(INTERVALS + 5)
    assert combined_history([gone.view(), here.view()])["at"] == here.view()["at"]


@given(st.lists(st.floats(0.002, 1e6), min_size=1, max_size=50))
def test_a_percentile_is_in_the_class_of_a_duration_that_has_that_rank(seconds: list[float]) -> None:
    histogram = total([{class_of(each): 1} for each in seconds])
    ranked = sorted(seconds)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        found = percentiles(histogram)[name]
        assert found is not None
        expected = ranked[max(0, -int(-share * len(ranked) // 1) - 1)]
        assert expected / 10 ** (1 / STEPS) / 1.01 <= found <= expected * 10 ** (1 / STEPS) * 1.01


@pytest.mark.parametrize("seconds", [0.0, -3.0, float("nan"), float("inf"), 1e12, 0.001, 10.0])
def test_any_duration_has_a_class(seconds: float) -> None:
    assert float(class_of(seconds)) > 0
