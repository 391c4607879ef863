"""Topic names and patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.mapping.files.lint.claims import overlap
from worker.mapping.files.topics import matches, sample, topic_problem


@pytest.mark.parametrize(
    "topic",
    [
        "orders",
        "a",
        "a.b_c-d",
        "9",
        "x" * 249,
        "^orders$",
        "^(a|b)$",
        "^a[|]b$",
        "^a\\.b$",
        "^shop-[0-9]{1,3}$",
    ],
)
def test_names_that_kafka_takes_and_anchored_patterns_are_right(topic: str) -> None:
    assert topic_problem(topic) is None


@pytest.mark.parametrize(
    "topic", ["", ".", "..", "x" * 250, "a b", "ä", "a/b", "orders*", "^a", "a$", "^a\\$", "^(?i)a$", "^a|b$"]
)
def test_everything_else_is_not(topic: str) -> None:
    assert topic_problem(topic) is not None


def test_a_pattern_means_whole_names_only() -> None:
    assert matches("^orders$", "orders")
    assert not matches("^orders$", "orders\n")
    assert not matches("^order$", "orders")
    assert not matches("orders", "ordersx")


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("orders", "orders", True),
        ("orders", "^ord.*$", True),
        ("^ord.*$", "shops", False),
        ("^ord.*$", "^o.*$", True),
        ("^a[0-9]+$", "^a7$", True),
        ("^a[0-9]+$", "^b[0-9]+$", False),
        ("^(a|b)$", "^(b|c)$", True),
    ],
)
def test_overlapping_claims_are_seen_from_both_sides(one: str, other: str, do: bool) -> None:  # noqa: FBT001 - a column of the table
    assert overlap(one, other) is do
    assert overlap(other, one) is do


@given(st.from_regex(r"\^([a-c.]|\[a-c\]|\(a\|b\)|[a-c][*+?]){1,6}\$", fullmatch=True))
def test_samples_match_their_pattern(pattern: str) -> None:
    assert all(re.fullmatch(pattern, name) for name in sample(pattern))
