"""When dead letters are a storm: in a row, or too large a share of the latest records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.model import Stage
from worker.core.storm import StormBreaker


def test_so_many_dead_letters_in_a_row_are_a_storm_and_it_stays_one() -> None:
    storm = StormBreaker(consecutive=3, ratio=1.0, window=100)
    assert [storm.failed(Stage.MAP) for _ in range(2)] == [False, False]
    storm.mapped(1)
    assert [storm.failed(Stage.DECODE) for _ in range(3)] == [False, False, True]
    storm.mapped(1000)
    assert storm.broken


def test_a_share_counts_once_the_window_is_full() -> None:
    storm = StormBreaker(consecutive=100, ratio=0.5, window=10)
    for _ in range(4):
        assert not storm.failed(Stage.VALIDATE)
    storm.mapped(4)
    assert not storm.failed(Stage.VALIDATE)
    assert storm.failed(Stage.VALIDATE)
    assert storm.share == 0.6


def test_deliveries_do_not_excuse_a_broken_mapping_nor_mapped_records_an_api_that_refuses_all() -> None:
    storm = StormBreaker(consecutive=3, ratio=1.0, window=100)
    for stage, excuse in ((Stage.MAP, storm.delivered), (Stage.DELIVER, storm.mapped)):
        storm.broken = False
        assert not storm.failed(stage)
        assert not storm.failed(stage)
        excuse(100)
        assert storm.failed(stage)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=50), st.integers(1, 20))
def test_the_share_is_that_of_the_latest_records(runs: list[tuple[bool, int]], window: int) -> None:
    storm = StormBreaker(consecutive=1000, ratio=1.0, window=window)
    outcomes: list[bool] = []
    for failed, n in runs:
        for _ in range(n if failed else 0):
            storm.failed(Stage.DELIVER)
        if not failed:
            storm.delivered(n)
        outcomes += [failed] * n
        if failed:
            latest = outcomes[-window:]
            assert storm.share == pytest.approx(sum(latest) / len(latest))
