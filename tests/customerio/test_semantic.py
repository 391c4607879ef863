from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import full_width
from worker.core.reasons import Rejected
from worker.customerio.reference import DESTRUCTIVE_CALLS, LOOK_ALIKES, SEMANTIC_EVENTS
from worker.customerio.semantic import ORDINARY, call_name, check_event_name, check_semantic

ALL = DESTRUCTIVE_CALLS
disguises = st.tuples(
    st.sampled_from([*SEMANTIC_EVENTS.values(), *LOOK_ALIKES, "CIO Location Update"]),
    st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["", " ", "\t", "\u00a0", "\u3000", "\u2028"]),
    st.sampled_from(["", "\ufeff", "\0", "\u200b", "\u200d", "\u2060", "\u00ad", "\u202e", "\U000e0001"]),
    st.sampled_from([str, full_width]),
)
DEVICE = {"device": {"token": "t", "type": "ios"}}
COMPLETE: dict[str, dict[str, Any]] = {
    "delete_user": {},
    "suppress_user": {},
    "unsuppress_user": {},
    "create_or_update_device": {"context": DEVICE},
    "delete_device": {"properties": DEVICE},
    "delete_relationship": {"properties": {"objectId": "o", "objectTypeId": 2}},
    "delete_object": {"properties": {"objectId": "o", "objectTypeId": "2"}},
    "report_delivery_event": {"properties": {"deliveryId": "d", "metric": "bounced"}},
    "report_content_event": {"properties": {"actionType": "viewed_content", "contentId": 1}},
}


def semantic(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u", "event": SEMANTIC_EVENTS[name], **COMPLETE[name], **fields}


def refused(call: dict[str, Any], allow: frozenset[str] = ALL) -> str:
    with pytest.raises(Rejected) as caught:
        check_semantic(call, allow)
    return caught.value.reason


@pytest.mark.parametrize("name", SEMANTIC_EVENTS)
def test_a_complete_semantic_call_passes_under_its_name(name: str) -> None:
    assert check_semantic(semantic(name), ALL) == name == call_name(semantic(name))


@pytest.mark.parametrize("name", sorted(DESTRUCTIVE_CALLS))
def test_a_destructive_call_passes_only_where_it_is_allowed(name: str) -> None:
    call = semantic(name) if name in COMPLETE else {"type": "alias", "userId": "u", "previousId": "p"}
    assert refused(call, frozenset()) == "NOT_ALLOWED"
    assert refused(call, ALL - {name}) == "NOT_ALLOWED"
    assert check_semantic(call, {name}) == name


@given(disguises)
def test_no_disguise_makes_an_ordinary_event_of_a_reserved_name(disguise: tuple[Any, ...]) -> None:
    name, cased, space, hidden, widened = disguise
    dead_letters = hidden.join(widened(cased(name)))
    dressed = space + hidden + dead_letters.replace(" ", space + " ") + hidden + space
    with pytest.raises(Rejected, match="RESERVED_NAME"):
        check_event_name(dressed)
    if dressed not in SEMANTIC_EVENTS.values():
        assert refused({"type": "track", "userId": "u", "event": dressed}) == "RESERVED_NAME"


def test_a_disguise_longer_than_what_is_cached_is_seen_through() -> None:
    with pytest.raises(Rejected, match="RESERVED_NAME"):
        check_event_name("User" + "\u200b" * 10_000 + " Deleted")


@pytest.mark.parametrize(
    "name",
    [
        "Order Completed",
        "  Order Shipped  ",
        "User Deleted Photo",
        "deleted",
        "Audience Entered",
        "Zoë löscht",
        "用户已删除",
    ],
)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert check_event_name(name) == name
    assert check_semantic({"type": "track", "userId": "u", "event": name}) == "track"


@pytest.mark.parametrize("name", ["", "  ", "\0", "\ufeff", "\u3000\u200b", None, 5, ["User Deleted"]])
def test_a_name_is_text(name: object) -> None:
    with pytest.raises(Rejected, match="INVALID_NAME"):
        check_event_name(name)


@pytest.mark.parametrize("name", [n for n in SEMANTIC_EVENTS if n != "delete_object" and "report" not in n])
def test_who_is_concerned_must_be_known(name: str) -> None:
    call = semantic(name, anonymousId="a")
    del call["userId"]
    assert refused(call) == "MISSING_ID"


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("create_or_update_device", {"context": {}}, "MISSING_FIELD"),
        ("delete_device", {"properties": {"device": {"type": "ios"}}}, "MISSING_FIELD"),
        ("delete_device", {"properties": {"device": {"token": " "}}}, "MISSING_FIELD"),
        ("delete_device", {"properties": {"device": {"token": 5}}}, "INVALID_TYPE"),
        ("delete_device", {"properties": {"device": "t"}}, "INVALID_TYPE"),
        ("delete_device", {"properties": {"device": {"token": "t", "type": "iOS"}}}, "INVALID_VALUE"),
        ("delete_device", {"properties": {"device": {"token": "t", "type": ["ios"]}}}, "INVALID_TYPE"),
        ("delete_device", {"context": {"device": {"token": "other"}}}, "INVALID_VALUE"),
        ("delete_relationship", {"properties": {}}, "MISSING_FIELD"),
        ("delete_relationship", {"properties": {"objectId": 5}}, "INVALID_TYPE"),
        ("delete_object", {"properties": {"objectId": "o", "objectTypeId": 0}}, "INVALID_VALUE"),
        ("delete_object", {"properties": {"objectId": "o", "objectTypeId": True}}, "INVALID_VALUE"),
        ("delete_object", {"properties": {"objectId": "o", "objectTypeId": "1.0"}}, "INVALID_VALUE"),
        ("delete_object", {"properties": {"objectId": "o", "object_type_id": "company"}}, "INVALID_VALUE"),
        (
            "delete_object",
            {"properties": {"objectId": "o", "objectTypeId": "1", "object_type_id": 2}},
            "INVALID_VALUE",
        ),
        ("report_delivery_event", {"properties": {"metric": "opened"}}, "MISSING_FIELD"),
        ("report_delivery_event", {"properties": {"deliveryId": "d", "metric": "exploded"}}, "INVALID_VALUE"),
        ("report_content_event", {"properties": {"actionType": "ate"}}, "INVALID_VALUE"),
        (
            "report_content_event",
            {"properties": {"actionType": "viewed_content", "contentId": "1"}},
            "INVALID_TYPE",
        ),
    ],
)
def test_what_a_semantic_call_lacks_rejects_it(name: str, fields: dict[str, Any], reason: str) -> None:
    assert refused(semantic(name, **fields)) == reason


def test_names_that_were_accepted_are_kept_in_bounded_memory() -> None:
    for number in range(5000):
        check_event_name(f"Order {number}")
    check_event_name("x" * 257)
    assert "Order 4999" in ORDINARY
    assert len(ORDINARY) <= 4096
    assert max(map(len, ORDINARY)) <= 256
    assert not any(name in ORDINARY for name in SEMANTIC_EVENTS.values())
