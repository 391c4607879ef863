"""The API's words: found in every shape they come in, and free of what was sent."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.pipelines_api import redaction
from worker.adapters.pipelines_api.error_texts import MAX_ERRORS, errors_in, is_json

SENT = orjson.dumps(
    {
        "batch": [
            {
                "type": "identify",
                "userId": "cust-81723",
                "traits": {
                    "email": "Grace.Hopper@example.com",
                    "plan": "Platinum",
                    "city": "Zürich",
                    "age": 37,
                    "name": "Jose\u0301",
                    "goods": [{"sku": "a1"}],
                },
            }
        ]
    }
)


def said(*errors: str) -> tuple[str, ...]:
    return errors_in(orjson.dumps({"meta": {"errors": list(errors)}}), SENT)


@pytest.mark.parametrize(
    "answer",
    [
        {"meta": {"errors": ["name is required"]}},
        {"meta": {"error": "name is required"}},
        {"errors": ["name is required"]},
        {"errors": [{"message": "name is required", "code": 7}]},
        {"error": "name is required"},
        {"error": {"message": "name is required"}},
        {"message": "name is required"},
        {"detail": "name is required"},
        ["name is required"],
        "name is required",
    ],
)
def test_errors_are_found_in_every_usual_shape(answer: Any) -> None:
    assert errors_in(orjson.dumps(answer), SENT) == ("name is required",)


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b" ", b"[]", b"null", b"7", b'{"meta": {}}', b'{"meta": {"errors": [null, 3]}}']
)
def test_an_answer_without_errors_has_none(answer: bytes) -> None:
    assert errors_in(answer, SENT) == ()


def test_a_page_is_reported_in_plain_text() -> None:
    page = (
        b"<html><head><title>502 Bad Gateway</title></head>\n<body><h1>502\x00 Bad Gateway</h1></body></html>"
    )

    assert errors_in(page, SENT) == ("502 Bad Gateway 502 Bad Gateway",)


@pytest.mark.parametrize(
    ("error", "redacted"),
    [
        ("batch[0].userId is required", "batch[0].userId is required"),
        ('batch[12]: "userId" must be a string', 'batch[12]: "userId" must be a string'),
        ("plan must be a string", "plan must be a string"),
        ("item exceeds 32768 bytes", "item exceeds 32768 bytes"),
        ("user 'nobody at all' is unknown", "user … is unknown"),
        ("user 'O'Brien' is unknown", "user …"),
        ("user 'cut in the mid", "user …"),
        ("the API can't take this and won't", "the API can't take this and won't"),
        ("no person grace.hopper@EXAMPLE.com", "no person …"),
        ("invalid email someone.else@example.org!", "invalid email …"),
        ("id cust-81723 is invalid", "id … is invalid"),
        ("Hopper, GRACE is invalid", "… is invalid"),
        ("value Plati is invalid", "value … is invalid"),
        ("value zürich is invalid", "value … is invalid"),
        ("phone +49 (170) 123-45-67 is invalid", "phone … is invalid"),
        ("id 9f86d081-884c-7d65-9a2f is invalid", "id … is invalid"),
        ("token dGhpcyBpcyBhIHNlY3JldCB0b2tlbg== is invalid", "token … is invalid"),
        ("age 37 is invalid at [37]", "age … is invalid at […]"),
        ("age[37] is invalid", "age[…] is invalid"),
        ("age (37) is invalid", "age (…) is invalid"),
        ("batch[37].traits.goods[3][37].sku is invalid", "batch[37].traits.goods[3][37].sku is invalid"),
        ("no person Grace.Hopper%40example.com", "no person …"),
        ("GET /people?email=grace%2Ehopper failed", "GET … failed"),
        ("no person grace&#46;hopper&#64;example&period;com", "no person …"),
        ("no person grace\\u002ehopper\\u0040example.com", "no person …"),
        ("token R3JhY2U= is invalid", "token … is invalid"),
        ("token R3JhY2U is invalid", "token … is invalid"),
        ("token R3JhY2UuSG9wcGVy is invalid", "token … is invalid"),
        ("token 4772616365 is invalid", "token … is invalid"),
        ("token WsO8cmljaA is invalid", "token … is invalid"),
        ("value Zu\u0308rich is invalid", "value … is invalid"),
        ("value ZU\u0308RICH is invalid", "value … is invalid"),
        ("value zurich is invalid", "value … is invalid"),
        ("value \uff30\uff4c\uff41\uff54\uff49\uff4e\uff55\uff4d is invalid", "value … is invalid"),
        (
            "value \U0001d40f\U0001d425\U0001d41a\U0001d42d is invalid",
            "value … is invalid",
        ),
        ("name Jose is invalid", "name … is invalid"),
        ("name José is invalid", "name … is invalid"),
        ("grade is invalid, and planned too", "grade is invalid, and planned too"),
        ("abcd deadbeef userId is invalid", "abcd deadbeef userId is invalid"),
        ("line\nbreak\x1b[31m", "line break [31m"),
    ],
)
def test_sent_values_are_redacted_and_the_apis_own_words_kept(error: str, redacted: str) -> None:
    assert said(error) == (redacted,)


def test_at_most_ten_errors_of_at_most_300_characters_are_kept() -> None:
    errors = said(*["must not be empty; " * 50] * 30)

    assert len(errors) == MAX_ERRORS
    assert {len(error) for error in errors} == {redaction.MAX_ERROR_CHARS}


def test_only_so_many_words_are_looked_up_and_the_rest_is_redacted() -> None:
    words = [f"q{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(redaction.MAX_WORDS + 20)]
    errors = said(*(" ".join(words[n : n + 20]) for n in range(0, len(words), 20)))

    assert " ".join(errors).split()[: redaction.MAX_WORDS] == words[: redaction.MAX_WORDS]
    assert errors[-1] == "…"


def test_secrets_are_redacted_as_payload_is() -> None:
    answer = orjson.dumps({"error": "no source has the key abc.def-ghi"})

    assert errors_in(answer, SENT, "abc.def-ghi") == ("no source has the key …",)


def test_an_answer_nested_without_end_has_no_errors() -> None:
    assert errors_in(b'{"error":' * 900 + b'"x"' + b"}" * 900, SENT) == ()


@pytest.mark.parametrize(
    ("text", "json"), [(b"", True), (b"\n", True), (b"{}", True), (b"<p>", False), (b"\xff", False)]
)
def test_json_is_the_apis_response_and_nothing_else(text: bytes, json: bool) -> None:  # noqa: FBT001 - a column
    assert is_json(text) is json


WORD = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)
VALUES = st.lists(WORD, min_size=1, max_size=4).map(" ".join)


@given(
    value=VALUES,
    before=st.sampled_from(["value ", "'", "(", "x=", ""]),
    after=st.sampled_from([" is invalid", "'", ")", "", "…"]),
)
def test_no_word_of_a_sent_value_survives_but_the_apis_own(value: str, before: str, after: str) -> None:
    """Whatever a value is and wherever it is quoted, what comes out holds none of its words."""
    sent = orjson.dumps({"batch": [{"userId": value}]})

    [error] = errors_in(json.dumps({"error": f"{before}{value}{after}"}).encode(), sent) or ("",)

    own = redaction._ORDINARY | {"x"}
    left = {word for word in re.findall(r"\w+", error.lower()) if word not in own}
    assert not left & {word.lower() for word in value.split()}


@pytest.mark.slow
@given(st.text(max_size=3000), st.text(max_size=50))
def test_redaction_is_total_and_bounded(error: str, value: str) -> None:
    errors = errors_in(json.dumps({"errors": [error]}).encode(), json.dumps([value]).encode())

    assert all(0 < len(each) <= redaction.MAX_ERROR_CHARS for each in errors)
    assert not re.search(r"[\x00-\x1f\x7f]", "".join(errors))
