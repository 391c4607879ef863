"""The emulator's own reading of the API, against calls that its documents and SDKs accept and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.values import DISGUISED
from worker.core.reasons import Rejected
from worker.emulator import names, rules
from worker.emulator.request_body import RequestBody, parse_body
from worker.mapping.calls.assembly import checked

VECTORS = Path(__file__).parents[1] / "vectors"
ADVISORY = ("semantic property type (advisory", "semantic enum (advisory")  # the API takes any JSON there
ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 3, 2.5, "", "text", [], {}, {"objectId": "o1"}, {"device": {"token": 1}}]
)
FIELDS = (
    "userId",
    "anonymousId",
    "groupId",
    "previousId",
    "event",
    "name",
    "traits",
    "properties",
    "context",
)
CALLS = st.fixed_dictionaries(
    {"type": st.sampled_from([*rules.TYPES, "delete", ""])},
    optional={
        field: st.sampled_from(["", " ", "u1", "Device Deleted", None, 3, {}, {"email": "a@b.example"}])
        for field in FIELDS
    }
    | {"timestamp": st.sampled_from(["2026-11-21T10:00:00Z", "yesterday", 3]), "properties": ANYTHING},
)


def vectors(name: str) -> list[Any]:
    lines = (VECTORS / name).read_text("utf-8").splitlines()
    return [
        pytest.param(vector["call"], vector["rule"], id=vector["rule"][:60])
        for vector in map(json.loads, lines)
    ]


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parsed_call(call: dict[str, Any], *, strict: bool) -> RequestBody:
    endpoint = call.get("type") if call.get("type") in rules.TYPES else "batch"
    if endpoint != "batch" or "type" not in call:
        return parse_body(str(endpoint), compact(call), strict=strict)
    return parse_body("batch", compact({"batch": [call]}), strict=strict)


@pytest.mark.parametrize(("call", "rule"), vectors("valid.jsonl"))
def test_what_the_documents_accept_is_accepted(call: dict[str, Any], rule: str) -> None:
    assert parsed_call(call, strict=False).all_errors == []


@pytest.mark.parametrize(("call", "rule"), vectors("valid.jsonl"))
def test_strict_mode_differs_only_in_an_identify_by_nothing_but_an_email(
    call: dict[str, Any], rule: str
) -> None:
    by_email = call.get("type") == "identify" and not call.get("userId") and not call.get("anonymousId")
    assert bool(parsed_call(call, strict=True).all_errors) == by_email


@pytest.mark.parametrize(("call", "rule"), vectors("invalid.jsonl"))
def test_what_the_documents_refuse_is_refused_or_noticed(call: dict[str, Any], rule: str) -> None:
    parsed = parsed_call(call, strict=True)
    noticed = parsed.notices + [notice for item in parsed.items for notice in item.notices]
    assert (
        parsed.all_errors or rule.startswith(ADVISORY) or any("without a" not in notice for notice in noticed)
    )


@given(CALLS)
def test_no_call_brings_the_rules_down_and_permissive_mode_refuses_no_more_than_strict(
    call: dict[str, Any],
) -> None:
    strict, permissive = (set(rules.examine(call, strict=mode).errors) for mode in (True, False))
    assert permissive <= strict


@given(st.text(min_size=12, alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_no_finding_quotes_a_value(value: str) -> None:
    call = {
        "type": "track",
        "userId": 3,
        "event": value,
        "timestamp": value,
        "messageId": value * 100,
        "context": {"channel": value},
    }
    findings = rules.examine(call, strict=True)
    assert findings.errors
    assert not any(value in sentence for sentence in findings.errors + findings.notices)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_body(body: bytes) -> None:
    for endpoint in ("batch", "track"):
        assert parse_body(endpoint, body, strict=True).all_errors


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("2026-11-21T10:00:00Z", True),
        ("2026-11-21T10:00:00.123456789+05:30", True),
        ("2026-11-21t10:00:00z", True),
        ("2026-11-21T10:00:00", False),
        ("2026-02-30T10:00:00Z", False),
        ("2026-11-21", False),
        ("2026-11-21T10:00:00.Z", False),
    ],
)
def test_a_timestamp_is_a_real_moment_with_an_offset(text: str, valid: bool) -> None:  # noqa: FBT001 - a column of the table
    assert rules.is_date_time(text) is valid


@pytest.mark.parametrize(("size", "refused"), [(32_000, False), (32_001, True)])
def test_a_call_may_be_32000_bytes_of_utf8_as_it_was_sent(size: int, refused: bool) -> None:  # noqa: FBT001 - a column
    frame = '{"type":"track","userId":"u1","event":"E","properties":{"pad":"%s"}}'
    room = size - len(frame) + 2
    call = (frame % ("é" * (room // 2) + "x" * (room % 2))).encode()
    assert len(call) == size
    assert bool(parse_body("batch", b'{"batch":[' + call + b"]}", strict=True).all_errors) is refused


@pytest.mark.parametrize(("size", "refused"), [(500_000, False), (500_001, True)])
def test_a_body_may_be_500000_bytes(size: int, refused: bool) -> None:  # noqa: FBT001 - a column of the table
    body = b'{"batch":[{"type":"identify","userId":"u1"}]'
    assert (
        bool(parse_body("batch", body + b" " * (size - len(body) - 1) + b"}", strict=True).all_errors)
        is refused
    )


@pytest.mark.parametrize(
    "name",
    [
        "Delete Person",
        "User deleted",
        "Delete Device",
        "Create Device",
        "Suppress User",
        "Delete Object",
        *DISGUISED,
    ],
)
def test_a_name_that_looks_destructive_and_is_not_is_noticed(name: str) -> None:
    findings = rules.examine({"type": "track", "userId": "u1", "event": name}, strict=True)
    assert findings.errors == []
    assert any("looks like" in notice for notice in findings.notices)


@pytest.mark.parametrize("name", ["User Deleted", " User Deleted ", *DISGUISED])
def test_a_name_that_may_be_taken_for_a_destructive_one_counts_as_destructive(name: str) -> None:
    assert names.is_destructive({"type": "track", "userId": "u1", "event": name})
    assert not names.is_destructive({"type": "track", "userId": "u1", "event": f"{name} Photo"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "identify", "traits": {"email": 5}}, "traits.email"),
        ({"type": "identify", "traits": {"email": ["a@b.example"]}}, "traits.email"),
        ({"type": "identify", "integrations": {"All": "yes"}}, "integrations"),
        ({"type": "identify", "integrations": {"Mixpanel": None}}, "integrations"),
        ({"type": "group", "groupId": "g", "objectTypeId": "company"}, "objectTypeId"),
        ({"type": "group", "groupId": "g", "objectTypeId": "0"}, "objectTypeId"),
        ({"type": "group", "groupId": "g", "traits": {"object_type_id": "company"}}, "traits.object_type_id"),
        ({"type": "group", "groupId": "g", "traits": {"objectTypeId": 1.5}}, "traits.objectTypeId"),
        (
            {
                "type": "track",
                "event": "Object Deleted",
                "properties": {"objectId": "o", "objectTypeId": "x"},
            },
            "properties.objectTypeId",
        ),
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_refused_here_as_the_worker_rejects_it(
    fields: dict[str, Any], said: str
) -> None:
    call = {"userId": "u1", **fields}
    (error,) = rules.examine(call, strict=True).errors
    assert said in error
    with pytest.raises(Rejected) as caught:
        checked(call, allow={"delete_object"})
    assert said.rpartition(".")[2] in caught.value.detail


def test_a_call_in_the_reference_s_full_shape_is_taken_by_both() -> None:
    call = {
        "type": "track",
        "userId": "97980cfea0067",
        "event": "Course Started",
        "properties": {"title": "Intro"},
        "integrations": {"All": True, "Salesforce": False, "Mixpanel": {"option": 1}},
        "sentAt": "2015-12-12T19:11:01.169Z",
        "originalTimestamp": "2015-12-12T19:11:01.152Z",
        "timestamp": "2015-12-12T19:11:01.249Z",
    }
    assert rules.examine(call, strict=True).errors == []
    assert rules.examine(checked(call), strict=True).errors == []
