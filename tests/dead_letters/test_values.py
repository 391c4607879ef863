"""What a filter that selects nothing is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.dead_letters import FAILED_AT, dead_letter_record, read
from worker.core.reasons import Stage
from worker.dead_letters.selection import Filters, Window
from worker.dead_letters.values import MAX_SHOWN, Values


def values() -> Values:
    found = Values()
    for n in range(3):
        found.count(read(dead_letter_record(reason="MISSING_ID", origin=("orders", 0, n))))
    found.count(read(dead_letter_record(reason="HTTP_400", stage=Stage.DELIVER, origin=("devices", 0, 0))))
    return found


def warnings(
    selected: int = 0,
    reasons: Sequence[str] = (),
    topics: Sequence[str] = (),
    windows: tuple[Window, ...] = (),
) -> list[str]:
    filters = Filters(reasons=frozenset(reasons), topics=frozenset(topics), windows=windows)
    return list(values().warnings(filters, selected))


def test_a_misspelt_value_gets_a_near_match_and_the_values_that_dead_letters_have() -> None:
    (warning,) = warnings(reasons=["MISING_ID"])
    said, known = warning.split("; ")
    assert said == "--reason MISING_ID selects nothing (did you mean 'MISSING_ID'?)"
    assert known == "reasons of the dead letters: MISSING_ID (3), HTTP_400 (1)"
    assert warnings(topics=["payments"]) == [
        "--topic payments selects nothing; topics of the dead letters: orders (3), devices (1)"
    ]


def test_one_misspelt_value_beside_a_good_one_is_not_silent() -> None:
    (warning,) = warnings(selected=3, reasons=["MISSING_ID", "HTTP400"])
    assert "--reason HTTP400 selects nothing (did you mean 'HTTP_400'?)" in warning


@pytest.mark.parametrize("window", [Window(FAILED_AT + 1), Window(None, FAILED_AT)])
def test_a_time_without_failures_names_the_time_of_the_failures(window: Window) -> None:
    assert warnings(windows=(window,)) == [
        "no dead letter failed in that time; they failed from 2026-11-21T14:00:00Z to 2026-11-21T14:00:00Z"
    ]


def test_filters_that_match_only_apart_are_told_so() -> None:
    (warning,) = warnings(reasons=["MISSING_ID"], topics=["devices"])
    assert warning.startswith("no dead letter has all of these together; reasons of the dead letters: ")
    (warning,) = warnings(reasons=["MISSING_ID"], topics=["devices"], windows=(Window(0.0),))
    assert warning.startswith("no dead letter that the other filters select failed in that time")


def test_filters_that_select_something_are_not_warned_of() -> None:
    assert warnings(selected=1, reasons=["MISSING_ID"], windows=(Window(0.0),)) == []


def test_an_empty_topic_is_told_so() -> None:
    assert list(Values().warnings(Filters(reasons=frozenset({"X"})), 0)) == [
        "there are no dead letters to select from"
    ]


def test_the_number_of_values_is_bounded() -> None:
    found = Values()
    for n in range(2000):
        found.count(read(dead_letter_record(reason=f"CODE_{n}")))
    (warning,) = found.warnings(Filters(reasons=frozenset({"NONE"})), 0)
    assert warning.count("(1)") == MAX_SHOWN
    assert warning.endswith("and 980 more")
