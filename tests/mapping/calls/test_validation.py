from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import json_values, texts
from worker.core.reasons import Rejected, Stage
from worker.customerio.limits import MAX_CALL_BYTES
from worker.customerio.reference import DESTRUCTIVE_CALLS, SEMANTIC_EVENTS
from worker.mapping.calls.assembly import checked
from worker.mapping.calls.validation import FIELDS, identity, optional_identity, validate

blank = st.text(" \t\n\u00a0", max_size=3)


def reason_of(call: Any, **options: Any) -> str:
    with pytest.raises(Rejected) as caught:
        validate(call, **options)
    assert caught.value.stage is Stage.VALIDATE
    return caught.value.reason


@given(
    texts.filter(
        lambda text: text.strip() and text.strip().casefold() not in {"null", "none", "nan", "undefined"}
    )
)
def test_text_is_an_id_unchanged(text: str) -> None:
    assert identity(text, "userId") == text


@given(st.integers(-(2**63), 2**64 - 1))
def test_a_whole_number_is_an_id_in_its_exact_digits(number: int) -> None:
    assert identity(number, "userId") == str(number)


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_float_is_an_id_without_a_point(number: int) -> None:
    assert identity(float(number), "userId") == str(number)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "MISSING_ID"),
        ("", "MISSING_ID"),
        (" \n", "MISSING_ID"),
        (True, "INVALID_ID"),
        (False, "INVALID_ID"),
        (1.5, "INVALID_ID"),
        (float("nan"), "INVALID_ID"),
        (float("inf"), "INVALID_ID"),
        ([], "INVALID_ID"),
        ({}, "INVALID_ID"),
        (2**64, "INEXACT_NUMBER"),
        (-(2**63) - 1, "INEXACT_NUMBER"),
        (float(2**53), "INEXACT_NUMBER"),
        (1e300, "INEXACT_NUMBER"),
        ("null", "FORBIDDEN_ID"),
        (" UNDEFINED ", "FORBIDDEN_ID"),
        ("[object Object]", "FORBIDDEN_ID"),
        ("NaN", "FORBIDDEN_ID"),
    ],
    ids=repr,
)
def test_an_invalid_id_is_rejected_without_being_quoted(value: object, reason: str) -> None:
    with pytest.raises(Rejected) as caught:
        identity(value, "userId")
    assert caught.value.reason == reason
    assert caught.value.detail.startswith("userId is ")


def test_the_list_of_forbidden_ids_is_the_mappings_own() -> None:
    assert identity("null", "userId", ()) == "null"
    with pytest.raises(Rejected, match="FORBIDDEN_ID"):
        identity("N/A", "userId", {"n/a"})


@given(st.none() | blank)
def test_null_and_blank_text_are_no_id(value: str | None) -> None:
    assert optional_identity(value, "userId") is None


@given(st.none() | blank)
def test_a_blank_id_is_left_out_where_the_other_is_there(value: str | None) -> None:
    call = {"type": "track", "userId": value, "anonymousId": "a1", "event": "E"}
    assert validate(call) == {"type": "track", "anonymousId": "a1", "event": "E"}


@pytest.mark.parametrize("field", ["userId", "anonymousId", "groupId"])
@pytest.mark.parametrize("value", [1, 1.0, True, ["u1"]])
def test_in_a_mappers_dict_a_number_is_not_an_id(field: str, value: object) -> None:
    call = {"type": "group", "userId": "u1", "anonymousId": "a1", "groupId": "g1"}
    assert reason_of(call | {field: value}) == "INVALID_ID"


@given(json_values)
def test_any_value_is_a_valid_call_or_rejected(value: Any) -> None:
    assert reason_of(value) in {"NOT_A_CALL", "UNKNOWN_TYPE"}


@given(
    st.sampled_from(["identify", "track", "page", "group"]),
    st.dictionaries(
        st.sampled_from(
            [
                "userId",
                "groupId",
                "event",
                "name",
                "traits",
                "properties",
                "context",
                "integrations",
                "messageId",
                "extra",
            ]
        ),
        json_values,
    ),
)
def test_a_valid_call_is_unchanged_except_for_absent_fields(type_: str, fields: dict[str, Any]) -> None:
    call = {"type": type_, **fields}
    try:
        result = validate(call)
    except Rejected:
        return
    assert result == {key: call[key] for key in result}
    assert all(call[key] is None or not call[key].strip() for key in call.keys() - result.keys())
    assert validate(result) == result


@pytest.mark.parametrize("field", ["writeKey", "name", "traits"])
def test_a_known_field_that_must_not_be_sent_is_named(field: str) -> None:
    with pytest.raises(Rejected, match=f"UNKNOWN_FIELD: track does not take {field}: "):
        validate({"type": "track", "userId": "u1", "event": "E", field: "x"})


def test_an_unknown_field_is_not_named_since_it_may_be_data() -> None:
    with pytest.raises(Rejected, match="UNKNOWN_FIELD") as caught:
        validate({"type": "track", "userId": "u1", "event": "E", "cool.person@example.com": 1})
    assert "person" not in caught.value.detail


@pytest.mark.parametrize(
    "context",
    [
        {"ip": 1},
        {"active": "yes"},
        {"channel": "tv"},
        {"page": "home"},
        {"page": {"url": 1}},
        {"page": {"keywords": ["a", 1]}},
        {"device": {"token": 5}},
        {"network": {"wifi": "on"}},
    ],
    ids=str,
)
def test_a_documented_context_key_has_its_documented_type(context: dict[str, Any]) -> None:
    assert reason_of({"type": "identify", "userId": "u1", "context": context}) in {
        "INVALID_TYPE",
        "INVALID_VALUE",
    }


def test_a_context_may_have_nulls_and_undocumented_keys() -> None:
    call = {"type": "identify", "userId": "u1", "context": {"ip": None, "whatever": 1, "page": {"new": []}}}
    assert validate(call) == call


@pytest.mark.parametrize("value", ["yes", 1, None, ["Mixpanel"]])
def test_an_integration_is_switched_or_has_options(value: object) -> None:
    assert (
        reason_of({"type": "identify", "userId": "u1", "integrations": {"Mixpanel": value}}) == "INVALID_TYPE"
    )
    validate({"type": "identify", "userId": "u1", "integrations": {"All": False, "Mixpanel": {"a": 1}}})


@pytest.mark.parametrize("email", [5, True, [], {"a": 1}], ids=repr)
def test_an_email_is_text(email: object) -> None:
    assert reason_of({"type": "identify", "userId": "u1", "traits": {"email": email}}) == "INVALID_TYPE"
    for good in ("cool.person@example.com", "", None):
        validate({"type": "identify", "userId": "u1", "traits": {"email": good}})
    # The email of a group identifies no person, so it can be any JSON.
    validate({"type": "group", "groupId": "g", "traits": {"email": email}})


@pytest.mark.parametrize("field", ["object_type_id", "objectTypeId"])
@pytest.mark.parametrize("value", ["0", "company", "", 0, -1, 1.5, True, [1]], ids=repr)
def test_the_object_type_in_a_group_s_traits_is_a_whole_number(field: str, value: object) -> None:
    assert reason_of({"type": "group", "groupId": "g", "traits": {field: value}}) == "INVALID_VALUE"
    for good in ("1", 2, "10", None):
        validate({"type": "group", "groupId": "g", "traits": {field: good}})
    validate({"type": "identify", "userId": "u1", "traits": {field: value}})


def test_fields_that_the_api_sets_are_removed() -> None:
    call = {"type": "identify", "userId": "u1"}
    assert validate(call | {"sentAt": "now", "receivedAt": 1, "version": 2}) == call


@pytest.mark.parametrize("value", ["0", "01", "-1", "1.0", "¹", "one"])
def test_an_object_type_is_digits(value: str) -> None:
    assert reason_of({"type": "group", "groupId": "g", "objectTypeId": value}) == "INVALID_VALUE"


@pytest.mark.parametrize("type_", ["page", "screen"])
def test_a_view_without_a_name_needs_an_url(type_: str) -> None:
    assert reason_of({"type": type_, "userId": "u1"}) == "MISSING_FIELD"
    assert reason_of({"type": type_, "userId": "u1", "properties": {"url": " "}}) == "MISSING_FIELD"
    validate({"type": type_, "userId": "u1", "properties": {"url": "https://example.com"}})


def test_an_identify_by_email_alone_passes_only_where_strict_mode_is_off() -> None:
    call = {"type": "identify", "userId": "", "traits": {"email": "cool.person@example.com"}}
    assert reason_of(call) == "MISSING_ID"
    assert validate(call, strict=False) == call
    assert reason_of({"type": "identify", "traits": {"email": " "}}, strict=False) == "MISSING_ID"
    assert reason_of(call | {"type": "track", "event": "E"}, strict=False) == "UNKNOWN_FIELD"


def test_the_call_that_came_is_not_changed() -> None:
    call = {"type": "track", "userId": None, "anonymousId": "a", "event": "E"}
    validate(call)
    assert call == {"type": "track", "userId": None, "anonymousId": "a", "event": "E"}


def test_a_kilobyte_is_read_as_the_smaller_one() -> None:
    assert MAX_CALL_BYTES == 32_000


SECRET = "cool.person@example.com"
_holding_it: st.SearchStrategy[Any] = st.sampled_from(
    [
        SECRET,
        SECRET * 10,
        [SECRET],
        {SECRET: SECRET},
        {"email": [SECRET]},
        {"object_type_id": SECRET},
        {"ip": [SECRET]},
        {"channel": SECRET},
        {"page": {"keywords": [SECRET, 1]}},
        {"device": {"type": [SECRET], "token": [SECRET]}},
        5,
        2.5,
        None,
    ]
)


@given(
    st.dictionaries(
        st.sampled_from([SECRET, *FIELDS, *set().union(*FIELDS.values()), "name", "writeKey"]), _holding_it
    ),
    st.sampled_from([*FIELDS, SECRET]),
    st.sampled_from([*SEMANTIC_EVENTS.values(), SECRET]),
)
def test_a_detail_is_a_sentence_that_never_quotes_a_value_or_an_unknown_key(
    fields: dict[str, Any], type_: str, event: str
) -> None:
    for call in (fields, {**fields, "type": type_}, {**fields, "type": "track", "event": event}):
        said = detail(call)
        assert SECRET not in said
        assert said.endswith(".")


def detail(call: dict[str, Any]) -> str:
    try:
        checked(call, allow=DESTRUCTIVE_CALLS)
    except Rejected as rejected:
        return rejected.detail
    return "Valid."
