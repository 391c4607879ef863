from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.documents.problems import ConfigError
from worker.settings import Settings
from worker.settings.connections import METADATA_REFRESH
from worker.settings.shares import LEAST_BYTES, LEAST_RECORDS, Process, share_of


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


@given(st.integers(1, 64), st.integers(1, 5000))
def test_the_rate_limits_of_all_processes_add_up_to_the_whole(of: int, requests: int) -> None:
    whole = settings(rate_limit={"requests": requests})
    if requests < of:
        with pytest.raises(ConfigError, match="cannot be divided"):
            share_of(whole, Process(0, of))
        return
    shares = [share_of(whole, Process(number, of)).rate_limit.requests for number in range(of)]
    assert sum(shares) == requests
    assert max(shares[1:], default=0) <= shares[0]
    assert min(shares) >= 1


def test_memory_is_divided_but_each_process_keeps_enough_for_full_requests() -> None:
    quarter = share_of(settings(), Process(3, 4)).memory
    assert (quarter.max_records_in_progress, quarter.max_bytes) == (12_500, 16_000_000)
    least = share_of(settings(), Process(3, 64)).memory
    assert (least.max_records_in_progress, least.max_bytes) == (LEAST_RECORDS, LEAST_BYTES)


def test_a_static_member_gets_the_number_of_its_process() -> None:
    static = settings(kafka={"properties": {"group.instance.id": "worker-a"}})
    names = [share_of(static, Process(n, 2)).kafka.properties["group.instance.id"] for n in range(2)]
    assert names == ["worker-a-0", "worker-a-1"]
    assert "group.instance.id" not in share_of(settings(), Process(0, 2)).kafka.properties


def test_one_process_gets_everything() -> None:
    assert share_of(settings(), Process(0, 1)) == settings()


@given(st.integers(0, 99), st.integers(1, 99))
def test_a_process_is_read_as_it_is_written(number: int, of: int) -> None:
    assert Process.parse(str(Process(number, of))) == Process(number, of)


def test_a_limit_of_the_group_is_not_divided_by_processes() -> None:
    whole = settings(rate_limit={"requests": 3, "scope": "group"})
    assert share_of(whole, Process(1, 8)).rate_limit == whole.rate_limit


def test_the_interval_of_the_metadata_is_the_clients_or_the_default_where_it_is_off() -> None:
    given = [settings(kafka={"properties": {METADATA_REFRESH: each}}).kafka for each in (500, 0, -1)]
    assert [each.metadata_refresh for each in (*given, settings().kafka)] == [0.5, 30.0, 30.0, 30.0]
