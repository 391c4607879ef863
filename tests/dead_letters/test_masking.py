"""How values are masked on a terminal."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.masking import CUT, MAX_LEVELS, cut, masked, shape

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=100),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=100), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "person", ["ada@example.com", "Ada Lovelace", "+44 20 7946 0958", "cust-10815", "3f2a9c"]
)
@pytest.mark.parametrize("field", ["userId", "email", "name", "anything", "customer"])
def test_personal_data_is_always_masked(person: str, field: str) -> None:
    for event in ({field: person}, {"deep": [{field: [person]}]}, {person: 1}):
        assert person not in orjson.dumps(masked(event), option=orjson.OPT_NON_STR_KEYS).decode()


def test_small_numbers_are_masked_too() -> None:
    event = {"id": 17, "phone": 442079460958, "total": -9.5}
    assert masked(event) == {"id": "99", "phone": "999999999999", "total": "-9.9"}


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"born": "1815-12-10"}, {"born": "9999-99-99"}),
        ({"status": "Ada called again about her order"}, {"status": "xxx xxxxxx xxxxx xxxxx xxx xxxxx"}),
        ({"status": "x" * 33}, {"status": "x" * 33}),
        ({"status": "a" * 33}, {"status": "x" * 33}),
        ({"ada.lovelace": True, "ada-lovelace": 1}, {"xxx.xxxxxxxx": True, "xxx-xxxxxxxx": "9"}),
        ({"born": "1815-12-10T00:00:00Z"}, {"born": "9999-99-99x99:99:99x"}),
        ({"at": "2026-11-21T10:00:00Z"}, {"at": "2026-11-21T10:00:00Z"}),
        ({"op": "c", "status": "paid"}, {"op": "c", "status": "paid"}),
    ],
)
def test_only_short_codes_and_timestamps_are_shown(event: dict[str, Any], shown: dict[str, Any]) -> None:
    assert masked(event) == shown


def test_values_are_cut_where_they_nest_deeper_than_python_recurses() -> None:
    nested: Any = 1
    for _ in range(100_000):
        nested = [nested]
    shown = orjson.dumps(masked(cut({"deep": nested}))).decode()
    assert shown.count("[") == MAX_LEVELS - 1
    assert CUT in shown


def test_literals_of_the_mapping_are_not_masked() -> None:
    call = {"type": "track", "event": "Order Completed", "userId": "cust-1"}
    assert masked(call, own_texts={"Order Completed"}) == {**call, "userId": "xxxx-9"}
    assert masked(call)["event"] == "xxxxx xxxxxxxxx"


def test_codes_times_and_empty_words_are_not_masked() -> None:
    event = {
        "type": "order.completed",
        "at": "2026-11-21T10:00:00Z",
        "userId": "undefined",
        "x": None,
        "currency": "USD",
    }
    assert masked(event) == event


def test_a_masked_text_still_shows_what_is_wrong_with_its_format() -> None:
    assert shape("ada@example.com") == "xxx@xxxxxxx.xxx"
    assert shape("21.11.2026 10:00") == "99.99.9999 99:99"
    assert shape("é" * 300) == f"{'x' * 200}... (300 characters)"


@given(JSON)
def test_masking_keeps_the_structure_of_any_value(value: Any) -> None:
    found = masked(value)
    assert masked(found) == found or isinstance(value, int | float)
    if isinstance(value, list):
        assert len(found) == len(value)
