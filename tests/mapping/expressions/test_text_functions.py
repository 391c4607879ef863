"""Functions of text: concat, substring, pad_left, and regular expressions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.expressions import FAILED, outcome
from worker.mapping.expressions.expression import Expression, ExpressionError


@pytest.mark.parametrize(
    ("text", "event", "value"),
    [
        ("concat(a, ' ', b)", {"a": "Ada", "b": "L"}, "Ada L"),
        ("concat(a)", {"a": 12}, "12"),
        ("concat(a, b)", {"a": 1.5, "b": 10**18}, "1.51000000000000000000"),
        ("concat(a, '/', b)", {"a": True, "b": False}, "true/false"),
        ("concat(a, b)", {"a": "x", "b": None}, None),
        ("concat(a, b) || 'y'", {"a": "x"}, "y"),
        ("concat(a, b) || 'y'", {"a": "x", "b": []}, None),  # a wrong type makes the whole expression null
        ("concat(a, b)", {"a": None, "b": {}}, None),
        ("list[].concat(a, '!')", {"list": [{"a": "x"}, {}, {"a": 2}]}, ["x!", "2!"]),
        ("substring(a, `0`, `3`)", {"a": "Grüße"}, "Grü"),
        ("substring(a, `3`, `9`)", {"a": "Grüße"}, "ße"),
        ("substring(a, `9`, `9`)", {"a": "Grüße"}, ""),
        ("substring(a, `1.0`, `2`)", {"a": "😀😁😂🤣"}, "😁😂"),
        ("substring(a, b, `1`)", {"a": "x", "b": 10**30}, ""),
        ("substring(a, b, `1`)", {"a": "x", "b": -1}, FAILED),
        ("substring(a, `0`, b)", {"a": "x", "b": 0.5}, FAILED),
        ("substring(a, `0`, b)", {"a": "x", "b": "1"}, None),
        ("pad_left(a, `5`, '0')", {"a": "42"}, "00042"),
        ("pad_left(a, `5`, 'ab')", {"a": "42"}, "aba42"),
        ("pad_left(a, `1`, '0')", {"a": "42"}, "42"),
        ("pad_left(a, `-1`, '0')", {"a": "42"}, "42"),
        ("pad_left(a, `5`, '')", {"a": "42"}, FAILED),
        ("pad_left(a, `5`, '0')", {"a": 42}, None),
        ("pad_left(a, b, '0')", {"a": "1", "b": 10**30}, FAILED),
        ("matches(a, 'b+')", {"a": "abbc"}, True),
        ("matches(a, '^b+$')", {"a": "abbc"}, False),
        ("matches(a, '(?i)GRÜSSE|grüße')", {"a": "GRÜßE"}, True),
        ("matches(a, b)", {"a": "x", "b": "("}, FAILED),
        ("matches(a, b)", {"a": "x", "b": None}, None),
        ("matches(a, 'x')", {"a": "\ud800"}, FAILED),
        ("extract(a, '[0-9]+')", {"a": "DE-1042-7"}, "1042"),
        ("extract(a, '([A-Z]+)-([0-9]+)')", {"a": "DE-1042"}, "DE"),
        ("extract(a, 'x(y)?')", {"a": "x"}, None),
        ("extract(a, 'x')", {"a": "y"}, None),
        ("extract(a, 'x') || 'none'", {"a": "y"}, "none"),
        (r"replace_regex(a, '(\w+) (\w+)', '\2, \1')", {"a": "Ada Lovelace"}, "Lovelace, Ada"),
        (r"replace_regex(a, 'b(c)?', '[\0\1]')", {"a": "abcab"}, "a[bcc]a[b]"),
        (r"replace_regex(a, 'b', '\\')", {"a": "abc"}, "a\\c"),
        ("replace_regex(a, '', '-')", {"a": "äb"}, "-ä-b-"),
        ("replace_regex(a, '[^0-9]', '')", {"a": "+49 (30) 1"}, "49301"),
        ("replace_regex(a, 'b', c)", {"a": "abc", "c": r"\1"}, FAILED),
        ("replace_regex(a, 'b', c)", {"a": "abc", "c": "\\"}, FAILED),
        ("replace_regex(a, 'b', 'c')", {"a": "\ud800"}, FAILED),
        (r"replace_regex(a, '(ü)(x)?', '[\1\2]')", {"a": "füüß"}, "f[ü][ü]ß"),
        ("extract(a, 'x(y)?ß')", {"a": "äxß"}, None),
        ("extract(a, 'x(.)')", {"a": "äxß"}, "ß"),
        ("replace_regex(a, 'b', c)", {"a": "abc", "c": r"\x"}, FAILED),
        ("replace_regex(a, b, 'c')", {"a": "abc", "b": r"(a)\1"}, FAILED),
    ],
)
def test_text_functions_give(text: str, event: dict[str, Any], value: Any) -> None:
    assert outcome(text, **event) == value


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        ("matches(a, 'x(')", 11, "missing )", None),
        ("extract(a, '(?=x)')", 11, "(?=", "RE2 has no look-around"),
        ("a && extract(a, '(?<!x)y')", 16, "(?<", "RE2 has no look-around"),
        (r"matches(a, '(a)\1')", 11, "\\1", "RE2 has no back-references"),
        ("matches(a, '(?P<q>a)(?P=q)')", 11, "(?P", "RE2 has no back-references"),
        (r"matches(a, 'x\Z')", 11, "\\Z", r"the end of the text is \z"),
        ("matches(a, 'x++')", 11, "++", "never backtracks"),
        ("matches(a, '(x{900}){900}')", 11, "", None),
        (r"replace_regex(a, '(x)', '\2')", 24, "no such group", "has 1 group;"),
        (r"replace_regex(a, 'x', '\d')", 22, "before a group", "has 0 groups;"),
        ("replace_regex(a, 'x(', b)", 17, "missing )", None),
        ("substring(a, `-1`, `2`)", 13, "whole numbers from 0 on", "the first character is 0"),
        ("substring(a, `0`, `1.5`)", 18, "whole numbers from 0 on", "the first character is 0"),
    ],
)
def test_a_literal_that_no_call_can_work_with_is_an_error_at_its_place(
    text: str, position: int, message: str, hint: str | None
) -> None:
    with pytest.raises(ExpressionError) as error:
        Expression.parse(text)
    assert error.value.position == position
    assert message in error.value.message
    assert (error.value.hint or "").startswith(hint or "") or (hint or "") in (error.value.hint or "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concat()", "concat() takes at least 1 argument, not 0"),
        ("substring(a, `1`)", "substring() takes 3 arguments, not 2"),
        ("parse_time(a)", "parse_time() takes 2 to 3 arguments, not 1"),
        ("date(a, 'UTC', b)", "date() takes 1 to 2 arguments, not 3"),
        ("md5(a, b)", "md5() takes 1 argument, not 2"),
        ("merge()", "merge() takes at least 1 argument, not 0"),
    ],
)
def test_a_wrong_number_of_arguments_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(").replace(")", r"\)")):
        Expression.parse(text)


def test_a_hostile_regular_expression_takes_linear_time() -> None:
    text = "a" * 100_000
    assert outcome("matches(a, '^(a+)+$')", a=f"{text}b") is False
    assert outcome("matches(a, b)", a=f"{text}b", b="(a|aa)+$") is False


def test_a_regular_expression_of_an_event_uses_little_memory() -> None:
    assert outcome("matches('x', a)", a="(a{100}){100}") == FAILED
    assert outcome("matches('x', a)", a="x" * 1_000_000) == FAILED
