"""The dashboard misses no first event."""

from __future__ import annotations

import re

import pytest

from tests.support.watched import LABELLED, NAME, QUERIES, total_of

pytestmark = pytest.mark.checkout


@pytest.mark.parametrize("title", QUERIES)
def test_a_panel_has_the_total_wherever_it_shows_a_label(title: str) -> None:
    """A series that is born with the first event of its label does not show that event."""
    queries = QUERIES[title]
    for query in queries:
        for name in LABELLED & set(NAME.findall(query)):
            assert re.match(r"sum by \((stage, )?reason\)", query), "the total is enough"
            assert any(total_of(name) in other for other in queries)


def test_the_labelled_counters_are_known() -> None:
    assert "pipelines_worker_requests_retried_total" in LABELLED
    assert (
        total_of("pipelines_worker_request_sent_bytes_total")
        == "pipelines_worker_request_sent_overall_bytes_total"
    )
