from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.reasons import Stage
from worker.core.storm import StormBreaker

outcomes = st.lists(
    st.tuples(st.sampled_from(Stage), st.integers(0, 12) | st.just("failed")),
    max_size=60,
)
"""So many records passed at once at a stage, or one failed."""


def passed(breaker: StormBreaker, stage: Stage) -> Callable[[int], None]:
    return breaker.delivered if stage is Stage.DELIVER else breaker.mapped


@given(st.integers(1, 8), st.floats(0.05, 1), st.integers(1, 10), outcomes)
def test_it_trips_exactly_when_a_list_based_model_does(
    consecutive: int, ratio: float, window: int, happened: list[tuple[Stage, int | str]]
) -> None:
    breaker = StormBreaker(consecutive=consecutive, ratio=ratio, window=window)
    lists: dict[bool, list[bool]] = {False: [], True: []}
    broken = False
    for stage, outcome in happened:
        failed = lists[stage is Stage.DELIVER]
        if isinstance(outcome, int):
            failed += [False] * outcome
            passed(breaker, stage)(outcome)
        else:
            failed.append(True)
            latest = failed[-window:]
            row = len(failed) >= consecutive and all(failed[-consecutive:])
            broken = broken or row or (len(latest) == window and sum(latest) / window > ratio)
            assert breaker.failed(stage) is broken
            assert breaker.share == sum(latest) / len(latest)
        assert breaker.broken is broken


def test_a_storm_is_never_reset() -> None:
    breaker = StormBreaker(consecutive=2, ratio=1.0, window=10)
    assert not breaker.failed(Stage.MAP)
    assert breaker.failed(Stage.MAP)
    breaker.mapped(1000)
    breaker.delivered(1000)
    assert breaker.broken


@pytest.mark.parametrize("stage", Stage)
def test_bad_records_between_good_ones_are_no_storm(stage: Stage) -> None:
    breaker = StormBreaker(consecutive=3, ratio=0.5, window=10)
    for _ in range(1000):
        assert not breaker.failed(stage)
        passed(breaker, stage)(1)


def test_mapped_records_do_not_hide_that_every_delivery_fails() -> None:
    breaker = StormBreaker(consecutive=3, ratio=1.0, window=1000)
    for _ in range(2):
        assert not breaker.failed(Stage.DELIVER)
        breaker.mapped(100)
    assert breaker.failed(Stage.DELIVER)
