"""Reserved properties, opt-outs, uninstalled applications, and the limits of the Track API."""

from __future__ import annotations

from typing import Any

import pytest

from worker.core.reasons import Rejected
from worker.customerio import catalog
from worker.customerio.meaning import (
    check_overrides,
    check_uninstall,
    check_unsubscribed,
    has_reserved_traits,
)
from worker.customerio.notices import MEANINGS, Notice
from worker.customerio.profile_limits import excesses, is_too_long, refuse_excess
from worker.customerio.reference import DOCUMENTED_OVERRIDES, RESERVED_PROPERTIES, SEMANTIC_EVENTS
from worker.emulator.sizes import size_notices

NAMES = ["recipient", "from_address", "reply_to"]


def track(event: str = "Bought", **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "userId": "u", **fields}


@pytest.mark.parametrize("name", NAMES)
def test_a_property_that_redirects_mail_is_refused_unless_allowed_or_null(name: str) -> None:
    call = track(properties={name: "a@example.com", "n": 1})
    with pytest.raises(Rejected, match="RESERVED_PROPERTY") as raised:
        check_overrides(call, {"delete_user", *NAMES} - {name})
    assert "example.com" not in raised.value.detail
    check_overrides(call, {name})
    check_overrides(track(properties={name: None}), ())
    check_overrides(track(properties={name.upper(): "a"}), ())
    check_overrides(track(), ())


@pytest.mark.parametrize("event", [*SEMANTIC_EVENTS.values()])
def test_semantic_calls_may_have_them(event: str) -> None:
    check_overrides(track(event, properties=dict.fromkeys(NAMES, "x")), ())


def test_events_that_document_a_reserved_property_may_have_that_one() -> None:
    documented = {
        event: names
        for family in catalog.families().values()
        for event in family
        if (names := frozenset(catalog.event(event)["properties"]) & set(RESERVED_PROPERTIES))  # type: ignore[index]
        and event not in SEMANTIC_EVENTS.values()
    }
    assert documented == DOCUMENTED_OVERRIDES
    check_overrides(track(" Cart Shared ", properties={"recipient": "x"}), ())
    with pytest.raises(Rejected, match="RESERVED_PROPERTY"):
        check_overrides(track("Cart Shared", properties={"reply_to": "x"}), ())


@pytest.mark.parametrize(
    "name",
    ["Application Uninstalled", " application\u00a0 UNINSTALLED", "\uff21pplication\u200b Uninstalled"],
)
def test_an_uninstalled_application_with_a_token_deletes_a_device(name: str) -> None:
    call = track(name, context={"device": {"token": "t"}})
    with pytest.raises(Rejected, match="NOT_ALLOWED"):
        check_uninstall(call, {"delete_device"})
    check_uninstall(call, {"application_uninstalled"})
    contexts: list[dict[str, Any]] = [{}, {"device": "t"}]
    contexts += [{"device": device} for device in ({}, {"token": None}, {"token": ""})]
    for context in contexts:
        check_uninstall(track(name, context=context), ())
    check_uninstall(track("Application Installed", context={"device": {"token": "t"}}), ())


@pytest.mark.parametrize("value", [True, False, 0, 1, "true", "false"])
def test_plain_opt_outs_pass(value: object) -> None:
    check_unsubscribed(value)


@pytest.mark.parametrize("value", ["yes", "TRUE", "1", "0", "", " true", 2, -1, 1.0, 0.0, [], {}, [True]])
def test_other_opt_outs_are_refused(value: object) -> None:
    with pytest.raises(Rejected, match="INVALID_UNSUBSCRIBED"):
        check_unsubscribed(value)


def test_identifiers_among_the_traits_of_a_person_are_noticed() -> None:
    assert has_reserved_traits({"type": "identify", "traits": {"id": 1}})
    assert has_reserved_traits({"type": "identify", "traits": {"cio_id": None}})
    assert not has_reserved_traits({"type": "identify", "traits": {"ID": 1}})
    assert not has_reserved_traits({"type": "identify"})
    assert not has_reserved_traits({"type": "group", "traits": {"id": 1}})


@pytest.mark.parametrize(("text", "size"), [("a" * 150, 150), ("\u00e9" * 75, 150), ("\U0001f600" * 37, 148)])
def test_sizes_are_bytes_of_utf_8(text: str, size: int) -> None:
    assert not is_too_long(text, size)
    assert is_too_long(text, size - 1)
    assert is_too_long("\ud800" * 51, 150)


def people(**traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": "u", "traits": traits}


@pytest.mark.parametrize(
    ("call", "kinds"),
    [
        (people(), []),
        ({**people(), "userId": "u" * 150}, []),
        ({**people(), "userId": "u" * 151, "anonymousId": "a" * 151}, [Notice.ID_LENGTH]),
        ({"type": "group", "groupId": "\u00e9" * 76}, [Notice.ID_LENGTH]),
        (track("Object Deleted", properties={"objectId": "o" * 151}), [Notice.ID_LENGTH]),
        (track("e" * 100), []),
        (track("\u00e9" * 51), [Notice.EVENT_NAME_LENGTH]),
        (people(**{"n" * 150: 1}), []),
        (people(**{"n" * 151: 1}), [Notice.TRAIT_NAME_LENGTH]),
        (people(a="x" * 1000, b=["x" * 996], c={"k": "x" * 992}), []),
        (people(a="x" * 1001), [Notice.TRAIT_VALUE_SIZE]),
        (people(b=["x" * 997]), [Notice.TRAIT_VALUE_SIZE]),
        (people(c={"k": "x" * 993}), [Notice.TRAIT_VALUE_SIZE]),
        (people(**{f"t{n}": n for n in range(300)}), []),
        (people(**{f"t{n}": n for n in range(301)}), [Notice.TRAIT_COUNT]),
        (track(properties={"long": "x" * 5000}), []),
    ],
)
def test_each_limit_of_the_track_api_is_found_once(call: dict[str, Any], kinds: list[Notice]) -> None:
    assert excesses(call) == kinds
    assert len(list(size_notices(call))) == len(kinds)  # the emulator agrees


def test_a_refused_excess_says_which_limit() -> None:
    for kind in set(Notice) - {Notice.FUTURE_TIME, Notice.RESERVED_TRAIT}:
        with pytest.raises(Rejected, match=r"LIMIT_EXCEEDED.*Track API \(limits.profile\)"):
            refuse_excess(kind)
    assert MEANINGS.keys() == set(Notice)
