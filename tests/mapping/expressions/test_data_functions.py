"""Functions of JSON texts, encodings, hashes and objects."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.expressions import FAILED, outcome
from tests.support.values import json_objects, json_values
from worker.mapping.expressions.expression import Expression, ExpressionError
from worker.mapping.expressions.functions.hashes import set_secrets

texts = st.text(st.characters(exclude_categories=["Cs"]))
DEEP = "[" * 128 + "]" * 128
TOO_DEEP = f"[{DEEP}]"


@pytest.fixture
def secrets() -> Iterator[None]:
    set_secrets({"pepper": "chili", "empty": None})
    yield
    set_secrets({})


@pytest.mark.parametrize(
    ("text", "event", "value"),
    [
        ("parse_json(a)", {"a": '{"b": [1, 2.5, null, true, "x"]}'}, {"b": [1, 2.5, None, True, "x"]}),
        ("parse_json(a).b[0]", {"a": '{"b": [7]}'}, 7),
        ("parse_json(a)", {"a": "12345678901234567890123"}, 12345678901234567890123),
        ("parse_json(a)", {"a": "9007199254740993"}, 9007199254740993),
        ("parse_json(a)", {"a": "null"}, None),
        ("parse_json(a) || 'x'", {"a": "null"}, "x"),
        ("parse_json(a)", {"a": DEEP}, json.loads(DEEP)),
        ("parse_json(a)", {"a": TOO_DEEP}, FAILED),
        ("parse_json(a)", {"a": "[" * 100_000}, FAILED),
        ("parse_json(a)", {"a": '{"a":' * 200_000}, FAILED),
        ("parse_json(a)", {"a": "1e400"}, FAILED),
        ("parse_json(a)", {"a": "NaN"}, FAILED),
        ("parse_json(a)", {"a": ""}, FAILED),
        ("parse_json(a)", {"a": "{'b': 1}"}, FAILED),
        ("parse_json(a)", {"a": '{"b": 1} x'}, FAILED),
        ("parse_json(a)", {"a": '"\\ud800"'}, FAILED),
        ("parse_json(a)", {"a": "\ud800"}, FAILED),
        ("parse_json(a)", {"a": None}, None),
        ("parse_json(a)", {"a": {}}, None),
        ("list[].parse_json(@).b", {"list": ['{"b": 1}', '{"b": 2}']}, [1, 2]),
        ("base64_encode(a)", {"a": "Grüße"}, "R3LDvMOfZQ=="),
        ("base64_encode(a)", {"a": ""}, ""),
        ("base64_encode(a)", {"a": "\ud800"}, FAILED),
        ("base64_encode(a)", {"a": 5}, None),
        ("base64_decode(a)", {"a": "R3LDvMOfZQ=="}, "Grüße"),
        ("base64_decode(a)", {"a": "R3LDvMOfZQ"}, "Grüße"),
        ("base64_decode(a)", {"a": "_-8_"}, FAILED),  # bytes that are no UTF-8
        ("base64_decode(a)", {"a": "Pz8_Pj4-"}, "???>>>"),
        ("base64_decode(a)", {"a": "a"}, FAILED),
        ("base64_decode(a)", {"a": "R3LD vMOf"}, FAILED),
        ("base64_decode(a)", {"a": "R3LD=vMOf"}, FAILED),
        ("base64_decode(a)", {"a": "===="}, FAILED),
        ("base64_decode(a)", {"a": "Größe"}, FAILED),
        ("base64_decode(a)", {"a": ""}, ""),
        ("url_decode(a)", {"a": "Gr%C3%BC%c3%9fe+%2B1"}, "Grüße +1"),
        ("url_decode(a)", {"a": "100% %zz"}, "100% %zz"),
        ("url_decode(a)", {"a": "%E9"}, FAILED),
        ("url_decode(a)", {"a": "\ud800"}, FAILED),
        ("url_decode(a)", {"a": ["x"]}, None),
        ("md5(a)", {"a": "abc"}, hashlib.md5(b"abc", usedforsecurity=False).hexdigest()),
        ("md5(a)", {"a": "\ud800"}, FAILED),
        ("md5(a)", {"a": 5}, None),
        ("pick(a, ['c', 'x', 'b'])", {"a": {"b": 1, "c": None, "d": 2}}, {"c": None, "b": 1}),
        ("pick(a, names)", {"a": {"b": 1}, "names": []}, {}),
        ("pick(a, names)", {"a": {"b": 1}, "names": ["b", 1]}, None),
        ("pick(a, names)", {"a": [], "names": ["b"]}, None),
        ("omit(a, ['b'])", {"a": {"b": 1, "c": None}}, {"c": None}),
        ("omit(a, 'b')", {"a": {"b": 1}}, None),
        ("omit(@, ['b'])", {"b": 1, "a": 2, "_kafka": 3}, {"a": 2}),
        ("to_entries(a)", {"a": {"b": 1, "c": []}}, [{"key": "b", "value": 1}, {"key": "c", "value": []}]),
        ("to_entries(a)", {"a": []}, None),
        ("from_entries(a)", {"a": [{"key": "b", "value": 1}, {"key": 7}]}, {"b": 1, "7": None}),
        ("from_entries(a)", {"a": [{"key": "b", "value": 1}, {"key": "b", "value": 2}]}, {"b": 2}),
        ("from_entries(a)", {"a": []}, {}),
        ("from_entries(a)", {"a": [{"key": None}]}, None),
        ("from_entries(a)", {"a": [{"key": True}]}, None),
        ("from_entries(a)", {"a": [["b", 1]]}, None),
        ("from_entries(a)", {"a": {}}, None),
        ("from_entries(to_entries(a)[?value > `1`])", {"a": {"b": 1, "c": 2}}, {"c": 2}),
        ("from_entries(a[].{key: name, value: v})", {"a": [{"name": "plan", "v": "pro"}]}, {"plan": "pro"}),
        ("merge(a, from_entries(b))", {"a": {"x": 1}, "b": [{"key": "y", "value": 2}]}, {"x": 1, "y": 2}),
    ],
)
def test_data_functions_give(text: str, event: dict[str, Any], value: Any) -> None:
    assert outcome(text, **event) == value


@given(value=json_values)
def test_json_in_a_text_is_what_was_written(value: Any) -> None:
    assert outcome("parse_json(a)", a=json.dumps(value)) == value


@given(text=texts)
def test_encodings_go_there_and_back(text: str) -> None:
    encoded = outcome("base64_encode(a)", a=text)
    assert encoded == base64.b64encode(text.encode()).decode()
    assert outcome("base64_decode(base64_encode(a))", a=text) == text
    assert outcome("base64_decode(a)", a=base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")) == text
    assert outcome("url_decode(a)", a=quote(text)) == text
    assert outcome("url_decode(a)", a=quote_plus(text)) == text


@given(value=json_objects, names=st.lists(st.text(max_size=3)))
def test_what_is_picked_and_what_is_omitted_are_the_whole(value: dict[str, Any], names: list[str]) -> None:
    names += list(value)[:2]
    picked, rest = (outcome(f"{name}(a, names)", a=value, names=names) for name in ("pick", "omit"))
    assert {**picked, **rest} == value
    assert picked.keys() <= set(names)
    assert rest.keys().isdisjoint(names)
    assert outcome("from_entries(to_entries(a))", a=value) == value


@pytest.mark.usefixtures("secrets")
def test_a_hash_with_a_secret() -> None:
    expected = hmac.digest(b"chili", "Grüße".encode(), "sha256").hex()
    assert outcome("hmac_sha256(a, 'pepper')", a="Grüße") == expected
    assert outcome("hmac_sha256(a, 'pepper')", a=None) is None
    assert outcome("hmac_sha256(a, 'pepper')", a="\ud800") == FAILED
    assert outcome("hmac_sha256(a, 'empty')", a="x") == FAILED


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("hmac_sha256(a, 'peper')", "there is no secret 'peper'", "did you mean 'pepper'?"),
        (
            "hmac_sha256(a, 'salt')",
            "there is no secret 'salt'",
            "add it to worker.yaml: secrets: {salt: ${SALT}}",
        ),
        (
            "hmac_sha256(a, name)",
            "hmac_sha256() names its secret as literal text",
            "hmac_sha256(email, 'pepper')",
        ),
        (
            "hmac_sha256(a, `1`)",
            "hmac_sha256() names its secret as literal text",
            "hmac_sha256(email, 'pepper')",
        ),
    ],
)
def test_an_unknown_secret_is_an_error(text: str, message: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression.parse(text)
    assert (error.value.message, error.value.position) == (message, 15)
    assert (error.value.hint or "").startswith(hint)


@pytest.mark.parametrize("name", ["parse_json", "base64_decode", "url_decode", "md5", "base64_encode"])
@given(value=st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_any_text_gives_a_value_or_a_failure(name: str, value: str) -> None:
    outcome(f"{name}(a)", a=value)
