"""What the emulator says of accepted calls that did nothing, or more than store a value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.reasons import Rejected
from worker.customerio.advice import Remark, remarks
from worker.customerio.meaning import check_unsubscribed
from worker.emulator import rules
from worker.emulator.effects import Effect, Effects

NOW = 1_795_269_600.0
HOUR = 3600.0


def call(type_: str, age: float, **fields: Any) -> dict[str, Any]:
    time = datetime.fromtimestamp(NOW - age, UTC).isoformat()
    base = {"type": type_, "userId": "u1", "timestamp": time}
    return base | ({"event": "Bought"} if type_ == "track" else {}) | fields


def effects(*calls: dict[str, Any]) -> list[list[Effect]]:
    played = Effects()
    return [played.of(each, "u1", NOW) for each in calls]


def test_a_profile_takes_no_update_older_than_its_latest() -> None:
    older, latest = call("identify", 2 * HOUR), call("identify", HOUR)
    assert effects(older, latest, older, latest) == [[], [], [Effect.UPDATE_IGNORED], []]
    assert effects(latest, call("identify", 2 * HOUR, userId="u2")) == [[], []]
    assert effects(call("group", HOUR, groupId="g"), call("group", 2 * HOUR, groupId="g"))[1] == [
        Effect.UPDATE_IGNORED
    ]
    future = call("identify", -HOUR)
    assert effects(future, call("identify", 0))[1] == [Effect.UPDATE_IGNORED]


def test_times_are_whole_seconds() -> None:
    assert effects(call("identify", 1.2), call("identify", 1.9)) == [[], []]


def test_a_deleted_person_begins_anew() -> None:
    deleted = call("track", 0, event="User Deleted")
    assert effects(call("identify", HOUR), deleted, call("identify", 2 * HOUR)) == [[], [], []]


def test_a_call_without_a_time_counts_as_of_now() -> None:
    untimed = call("identify", 0)
    del untimed["timestamp"]
    assert effects(call("identify", HOUR), untimed, call("identify", HOUR)) == [
        [],
        [],
        [Effect.UPDATE_IGNORED],
    ]


@pytest.mark.parametrize("value", ["yes", "on", 2, "unsubscribed", [], {"a": 1}])
def test_an_odd_opt_out_is_read_as_subscribed(value: Any) -> None:
    odd = call("identify", 0, traits={"unsubscribed": value})
    assert effects(odd) == [[Effect.SUBSCRIBED]]
    assert any("unsubscribed" in notice for notice in rules.examine(odd, strict=True).notices)
    with pytest.raises(Rejected):
        check_unsubscribed(value)


@pytest.mark.parametrize("value", [True, False, 0, 1, "true", "false", None])
def test_a_plain_opt_out_is_not(value: Any) -> None:
    plain = call("identify", 0, traits={"unsubscribed": value})
    assert effects(plain) == [[]]
    assert not any("unsubscribed" in notice for notice in rules.examine(plain, strict=True).notices)


def test_mail_is_redirected_and_a_device_deleted() -> None:
    redirected = call("track", 100 * HOUR, properties={"reply_to": "a@example.com"})
    assert effects(redirected) == [[Effect.NO_CAMPAIGN, Effect.MAIL_REDIRECTED]]
    assert any("reply_to" in notice for notice in rules.examine(redirected, strict=True).notices)
    uninstalled = call("track", 0, event="Application Uninstalled", context={"device": {"token": "t"}})
    assert effects(uninstalled) == [[Effect.CAMPAIGNS_MAY_START, Effect.DEVICE_DELETED]]


def test_an_anonymous_event_that_comes_long_after_the_identify_is_not_merged() -> None:
    played = Effects()
    played.of(call("identify", 0, anonymousId="a"), "u1", NOW)
    event = call("page", 0, anonymousId="a")
    assert Effect.AFTER_IDENTIFY not in played.of(event, "u1", NOW + 400)
    del event["userId"]
    assert Effect.AFTER_IDENTIFY not in played.of(event, "a", NOW + 300)
    assert Effect.AFTER_IDENTIFY in played.of(event, "a", NOW + 301)
    assert Effect.AFTER_IDENTIFY not in played.of(event | {"anonymousId": "b"}, "b", NOW + 301)


def test_effects_are_counted_by_calls_and_people() -> None:
    played = Effects()
    for person in ("u1", "u2", "u1"):
        played.of(call("page", HOUR), person, NOW)
    assert played.view() == {"campaigns_may_start": {"calls": 3, "people": 2}}


SAME = {
    Remark.MAY_START_CAMPAIGNS: Effect.CAMPAIGNS_MAY_START,
    Remark.STARTS_NO_CAMPAIGN: Effect.NO_CAMPAIGN,
    Remark.NOT_MERGED: Effect.NOT_MERGED,
}


@given(
    st.sampled_from(["track", "page", "screen"]),
    st.sampled_from([0, 72, 720]),
    st.integers(-2, 2),
    st.booleans(),
)
def test_what_the_worker_remarks_beforehand_is_what_happens(
    type_: str,
    hours: int,
    seconds: int,
    anonymous: bool,  # noqa: FBT001 - drawn
) -> None:
    event = call(type_, hours * HOUR + seconds, **({"anonymousId": "a"} if anonymous else {}))
    if anonymous:
        del event["userId"]
    assert [SAME[remark] for remark in remarks(event, NOW)] == effects(event)[0]
