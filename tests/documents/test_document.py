"""YAML as configuration needs it: plain values, and where each of them stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.support.values import json_values, texts
from worker.core.near_matches import closest
from worker.documents.document import parse
from worker.documents.interpolation import interpolate
from worker.documents.problems import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("", None),
        ("null", None),
        ("True", True),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("+12", 12),
        ("-0", 0),
        ("1_000", "1_000"),
        ("18446744073709551615", 2**64 - 1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("12:30:45", "12:30:45"),
        ("2026-11-21", "2026-11-21"),
        ("'1'", "1"),
        ('"\\u00e9"', "é"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ('"\\ud83d\\ude00"', "😀"),
    ],
)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, value: Any) -> None:
    found = parse(f"a: {text}\n", "f.yaml").data["a"]
    assert found == value
    assert type(found) is type(value)


@given(st.dictionaries(texts, json_values, max_size=4))
def test_json_is_yaml(value: Any) -> None:
    import json

    # YAML forbids some characters that JSON allows, so all that is not ASCII is escaped.
    assert parse(json.dumps(value).replace("\x7f", "\\u007f"), "f.yaml").data == value


def test_a_value_knows_its_line_and_column_and_those_of_its_key() -> None:
    document = parse("a:\n  - b: 1\n    'c' : {d:  x}\n", "f.yaml")
    assert document.position(("a", 0, "b")) == (2, 8)
    assert document.position(("a", 0, "c", "d")) == (3, 16)
    assert document.position(("a", 0, "c", "d"), key=True) == (3, 12)
    assert document.position(("a", 0), key=True) == (2, 5)


def test_what_was_not_written_is_at_what_is_around_it() -> None:
    assert parse("a:\n  b: 1\n", "f.yaml").position(("a", "c", "d")) == (2, 3)


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("a: one two", 4, (1, 8)),
        ("a: 'it''s @'", 5, (1, 11)),
        ('a: "x\\u0041 @"', 3, (1, 13)),
        ('a: "\\"@"', 1, (1, 7)),
        ("a: |\n  one\n  two\n", 5, (3, 4)),
        ("a: |\n  one\n    two\n", 6, (3, 5)),
        ("a: |\n  one\n", 99, (2, 6)),
        ("a: one\n  two", 5, (1, 4)),
        ("a: >\n  one\n  two\n", 5, (1, 4)),
    ],
)
def test_a_character_of_a_text_has_a_place_unless_its_style_hides_it(
    text: str, offset: int, place: tuple[int, int]
) -> None:
    assert parse(text, "f.yaml").point(("a",), offset) == place


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse("a: &x 1\nb: *x\na: 2\n1: .nan\n", "f.yaml")
    assert [(problem.line, problem.column) for problem in raised.value.problems] == [
        (1, 4),
        (2, 4),
        (3, 1),
        (4, 1),
        (4, 4),
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"a: \xff", "not UTF-8"),
        ("a: \x01", "control character"),
        ("[" * 100_000, "deeper than 64"),
        ("a" * 1_000_001, "larger than 1,000,000 bytes"),
        ("a: " + "1" * 100_000, "cannot be represented in JSON"),
        ("? [1]\n: 2", "a key must be text"),
        ("{a: 1}: 2", "a key must be text"),
        ("*a : 1", "a key must be text"),
        ('a: "\\ud800"', "half of a surrogate pair"),
    ],
)
def test_what_no_configuration_needs_is_refused(source: bytes | str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(source, "f.yaml")


@given(st.text(max_size=60) | st.text("{}[]:,-?&*!|>'\"%@`#\n\t ab1.", max_size=40))
def test_any_text_is_a_document_or_a_problem_with_the_file_s_name(text: str) -> None:
    files = {"f.yaml"}
    try:
        parse(text, "f.yaml")
    except ConfigError as error:
        files = {problem.file or "none" for problem in error.problems}
    assert files == {"f.yaml"}


@given(st.text("{}[]:,-'\"# \nab1.~", max_size=30))
def test_what_is_read_is_what_the_library_reads(text: str) -> None:
    try:
        found = parse(text, "f.yaml").data
    except ConfigError:
        return
    yaml = YAML(typ="safe", pure=True)
    assert found == yaml.load(text)


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbfa: 1", "f.yaml").data == {"a": 1}


def test_variables_are_filled_in_after_parsing() -> None:
    document = parse("a: ${HOST:-localhost}:9092\nb: [\"${SECRET}\", '$${SECRET}', 7, $HOST]\n", "f.yaml")
    filled = interpolate(document, {"SECRET": "x: [1, #"})
    assert filled.data == {"a": "localhost:9092", "b": ["x: [1, #", "${SECRET}", 7, "$HOST"]}
    assert filled.position(("b", 1)) == document.position(("b", 1))


def test_a_default_stands_in_for_an_empty_variable_too() -> None:
    assert interpolate(parse("a: ${A:-b}", "f.yaml"), {"A": ""}).data == {"a": "b"}
    assert interpolate(parse("a: x${A:-}", "f.yaml"), {}).data == {"a": "x"}


def test_every_missing_variable_is_reported_with_its_place() -> None:
    with pytest.raises(ConfigError) as raised:
        interpolate(parse("a: ${ONE}\nb:\n  c: ${TWO}${THREE}", "f.yaml"), {})
    assert [(problem.line, problem.column) for problem in raised.value.problems] == [(1, 4), (3, 6), (3, 6)]
    assert "TWO" in str(raised.value)


def test_an_optional_value_whose_variable_is_missing_is_null() -> None:
    document = parse("pipelines:\n  api_key: ${KEY}", "f.yaml")
    assert interpolate(document, {}, optional={("pipelines", "api_key")}).data == {
        "pipelines": {"api_key": None}
    }


def test_near_matches_are_found_without_regard_to_case_and_far_ones_are_not() -> None:
    assert closest("user_id", ["userId", "groupId"]) == "userId"
    assert closest("EVENT", ["event", "userId"]) == "event"
    assert closest("zzz", ["event", "userId"]) is None
