"""What the API accepts without effect, by the age of a call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from worker.customerio.advice import Remark, call_time, remarks, subject
from worker.customerio.reference import SEMANTIC_EVENTS

NOW = 1_795_269_600.0
HOUR = 3600.0


def call(type_: str, age: float, **fields: Any) -> dict[str, Any]:
    """A call that happened `age` seconds before now."""
    if type_ == "track":
        fields = {"event": "Order Completed", **fields}
    time = datetime.fromtimestamp(NOW - age, UTC).isoformat().replace("+00:00", "Z")
    return {"type": type_, "userId": "u1", **fields, "timestamp": time}


@pytest.mark.parametrize("type_", ["track", "page", "screen"])
def test_events_may_start_campaigns_up_to_72_hours(type_: str) -> None:
    assert remarks(call(type_, 0), NOW) == [Remark.MAY_START_CAMPAIGNS]
    assert remarks(call(type_, 72 * HOUR), NOW) == [Remark.MAY_START_CAMPAIGNS]
    assert remarks(call(type_, 72 * HOUR + 1), NOW) == [Remark.STARTS_NO_CAMPAIGN]


@pytest.mark.parametrize("event", SEMANTIC_EVENTS.values())
def test_semantic_calls_start_no_campaign_at_any_age(event: str) -> None:
    assert remarks(call("track", 0, event=event), NOW) == []
    assert remarks(call("track", 1000 * HOUR, event=event), NOW) == []


def test_an_event_without_a_timestamp_arrives_with_the_current_time() -> None:
    fresh = call("track", 1000 * HOUR)
    del fresh["timestamp"]
    assert remarks(fresh, NOW) == [Remark.MAY_START_CAMPAIGNS]


def test_anonymous_events_over_30_days_are_not_merged() -> None:
    anonymous = {"anonymousId": "a1", "userId": "u1"}
    old = call("page", 721 * HOUR, **anonymous)
    assert Remark.NOT_MERGED not in remarks(old, NOW)  # the person is known
    del old["userId"]
    assert remarks(old, NOW) == [Remark.STARTS_NO_CAMPAIGN, Remark.NOT_MERGED]
    young = call("page", 720 * HOUR, **anonymous)
    del young["userId"]
    assert remarks(young, NOW) == [Remark.STARTS_NO_CAMPAIGN]


@pytest.mark.parametrize("type_", ["identify", "group"])
def test_a_profile_update_may_be_ignored_only_if_a_later_one_was_seen(type_: str) -> None:
    update = call(type_, HOUR)
    assert remarks(update, NOW) == []
    assert remarks(update, NOW, superseded=True) == [Remark.MAY_BE_IGNORED]
    del update["timestamp"]  # then it counts as the latest
    assert remarks(update, NOW, superseded=True) == []


def test_the_subject_of_a_group_is_the_group() -> None:
    assert subject({"type": "group", "groupId": "g1", "userId": "u1"}) == "g1"
    assert subject({"type": "track", "groupId": "g1", "anonymousId": "a1"}) == "a1"
    assert subject({"type": "track", "groupId": "g1"}) == "g1"


def test_a_time_that_cannot_be_read_is_replaced() -> None:
    assert call_time({"timestamp": "never"}, 7.0) == 7.0
    assert call_time({}, 7.0) == 7.0
    assert call_time({"timestamp": "1970-01-01T00:00:09.000Z"}, 7.0) == 9.0
