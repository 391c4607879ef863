"""No function makes more text than the limit, and none that is refused is made first."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.expressions import FAILED, by_library, compiled
from worker.mapping.expressions import text_length
from worker.mapping.expressions.expression import Expression
from worker.mapping.expressions.names import Names

LIMIT = 1000


@pytest.fixture
def small_limit() -> Iterator[None]:
    text_length.set_limit(LIMIT)
    yield
    text_length.set_limit(text_length.MAX_LENGTH)


def outcome(text: str, **event: Any) -> Any:
    expression = Expression.parse(text)
    value = by_library(expression, event, {})
    assert compiled(expression, event, {}) == value
    return value


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize(
    ("text", "event", "length"),
    [
        ("replace(t, 'a', 'bb')", {"t": "a" * (LIMIT // 2)}, LIMIT),
        ("replace(t, 'a', 'bb')", {"t": "a" * (LIMIT // 2) + "b"}, None),
        ("replace(t, t, '')", {"t": "a" * LIMIT}, 0),
        ("replace(t, 'x', 'y')", {"t": "a" * (LIMIT + 1)}, None),
        ("join('--', list)", {"list": ["a" * 498, "b" * 500]}, LIMIT),
        ("join('--', list)", {"list": ["a" * 499, "b" * 500]}, None),
        ("join('--', list)", {"list": []}, 0),
        ("to_string(list)", {"list": ["a" * (LIMIT - 4)]}, LIMIT),
        ("to_string(list)", {"list": ["a" * (LIMIT - 3)]}, None),
        ("to_string(list)", {"list": ["é" * 200]}, None),
        ("to_string(t)", {"t": "a" * (LIMIT + 1)}, LIMIT + 1),  # it is there already
        ("concat(t, t)", {"t": "a" * (LIMIT // 2)}, LIMIT),
        ("concat(t, t, `1`)", {"t": "a" * (LIMIT // 2)}, None),
        ("pad_left(t, `1000`, 'xy')", {"t": "a"}, LIMIT),
        ("pad_left(t, `1001`, 'xy')", {"t": "a"}, None),
        ("pad_left(t, `0`, 'x')", {"t": "a" * (LIMIT + 1)}, LIMIT + 1),
        ("replace_regex(t, 'a', 'bb')", {"t": "a" * (LIMIT // 2)}, LIMIT),
        ("replace_regex(t, 'a', 'bb')", {"t": "a" * (LIMIT // 2) + "c"}, None),
        (r"replace_regex(t, '(a)', '\1\1')", {"t": "ä" + "a" * (LIMIT // 2)}, None),
        (r"replace_regex(t, '(a)', '\1')", {"t": "a" * (LIMIT + 1)}, None),
        ("base64_encode(t)", {"t": "a" * 750}, LIMIT),
        ("base64_encode(t)", {"t": "a" * 751}, None),
        ("base64_encode(t)", {"t": "ä" * 376}, None),
        ("format_number(t, `994`)", {"t": 1234}, 999),
        ("format_number(t, `995`)", {"t": 1234}, None),
        ("format_number(t, `0`)", {"t": "1e997"}, 998),
        ("format_number(t, `0`)", {"t": "1e999"}, None),
        ("format_time(`0`, t)", {"t": "%Y" * 250}, None),  # no time has this number
        ("format_time('2026-11-21T10:00:00Z', t)", {"t": "%Y" * 250}, LIMIT),
        ("format_time('2026-11-21T10:00:00Z', t)", {"t": "%Y" * 250 + "%%"}, None),
        ("substring(t, `1`, `2000`)", {"t": "a" * (LIMIT + 2)}, LIMIT + 1),  # a part of what is there
        ("base64_decode(t)", {"t": "YWFh" * 400}, 1200),
    ],
)
def test_a_function_makes_text_up_to_the_limit(text: str, event: dict[str, Any], length: int | None) -> None:
    found = outcome(text, **event)
    assert found == FAILED if length is None else len(found) == length


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize(
    "text",
    [
        "list[].replace(@, 'a', 'bb')",
        "map(&replace(@, 'a', 'bb'), list)",
        "list[?replace(@, 'a', 'bb') == 'c']",
        "sort_by(list[].{t: @}, &replace(t, 'a', 'bb'))",
        "list[].join(@, ['', '', ''])",
        "list[].to_string([@, @])",
        "list[].concat(@, @)",
        "list[].pad_left(@, `900`, 'x')",
        "list[].replace_regex(@, 'a', 'bb')",
        "list[].base64_encode(@)",
        "list[].[substring(@, `0`, `490`), substring(@, `1`, `490`)]",
        "list[].[split(@, 'a'), split(@, 'b')]",
        "list[].[url_decode(@), url_decode(substring(@, `1`, `490`))]",
        "list[].[parse_json(concat('\"', @, '\"'))]",
        "list[].[extract(@, 'a*'), extract(@, 'a+')]",
    ],
)
def test_the_texts_of_all_items_count_together(text: str) -> None:
    item = "a" * (LIMIT // 2 - 10)
    many = 2 * text_length.ALL_TEXTS
    assert outcome(text, list=[item] * (many // 4)) != FAILED
    assert outcome(text, list=[item] * many) == FAILED
    assert outcome(text, list=[item] * (many // 4)) != FAILED, "each expression begins anew"


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("name", ["lower", "upper", "trim"])
def test_a_named_text_that_is_made_anew_for_each_item_counts(name: str) -> None:
    let = Expression.parse("text")
    for text in (f"list[].[@, {name}($text)]", f"list[?{name}($text) == 'x']", f"map(&{name}($text), list)"):
        expression = Expression.parse(text, Names({"text": let}))
        for items, fails in ((5, False), (50, True), (5, False)):
            event = {"list": list(range(items)), "text": "A" * 400}
            value = by_library(expression, event, {})
            assert (value == FAILED) is fails
            assert compiled(expression, event, {}) == value
    plain = Expression.parse(f"{name}($text)", Names({"text": let}))
    assert not plain.makes_text, "it is written inline"


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("replace(a, b, a)", {"a": "x" * 60_000, "b": "x"}),
        ("join(a, list)", {"a": "x" * 10_000, "list": ["y"] * 200_000}),
        ("list[].replace(@, 'x', @)", {"list": ["x" * 900] * 900}),
        ("concat(a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a)", {"a": "x" * 60_000}),
        ("pad_left(a, `1e15`, a)", {"a": "x" * 60_000}),
        ("replace_regex(a, 'x', a)", {"a": "x" * 60_000}),
        (r"replace_regex(a, '^(x*)$', b)", {"a": "x" * 60_000, "b": r"\1" * 10_000}),
        ("base64_encode(a)", {"a": "€" * 900_000}),
        ("format_number(`1`, `1e15`)", {}),
        ("format_number(a, `0`)", {"a": "1e999999999"}),
        ("format_time('2026-11-21T10:00:00Z', a)", {"a": "%c" * 60_000}),
        ("list[].concat(@, @)", {"list": ["x" * 60_000] * 400}),
        ("to_string([list, list, list] | [@, @, @] | [@, @, @] | [@, @, @])", {"list": ["x" * 60_000] * 10}),
    ],
)
def test_a_text_over_the_limit_is_never_created(text: str, event: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        assert outcome(text, **event) == FAILED
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50_000_000
