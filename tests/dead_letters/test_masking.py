"""What is shown of a value to whoever looks over a shoulder."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.dead_letters.masking import masked, shape

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "person", ["ada@example.com", "Ada Lovelace", "+44 20 7946 0958", "cust-10815", "3f2a9c"]
)
@pytest.mark.parametrize("field", ["userId", "email", "name", "anything", "customer"])
def test_a_person_is_never_shown(person: str, field: str) -> None:
    for event in ({field: person}, {"deep": [{field: [person]}]}, {person: 1}):
        assert person not in orjson.dumps(masked(event), option=orjson.OPT_NON_STR_KEYS).decode()


def test_numbers_that_may_be_somebodys_are_masked_and_short_ones_shown() -> None:
    event = {"id": 10815473, "phone": 442079460958, "total": 9.5, "count": 3, "card": 4.242424242}
    assert masked(event) == {
        "id": "99999999",
        "phone": "999999999999",
        "total": 9.5,
        "count": 3,
        "card": "9.999999999",
    }


def test_what_helps_to_understand_is_shown() -> None:
    event = {
        "type": "order.completed",
        "at": "2026-11-21T10:00:00Z",
        "userId": "undefined",
        "x": None,
        "currency": "USD",
    }
    assert masked(event) == event


def test_a_shape_keeps_what_is_wrong_with_a_format() -> None:
    assert shape("ada@example.com") == "xxx@xxxxxxx.xxx"
    assert shape("21.11.2026 10:00") == "99.99.9999 99:99"
    assert shape("é" * 300) == f"{'x' * 200}... (300 characters)"


@given(JSON)
def test_whatever_the_value_is_its_structure_stays(value: Any) -> None:
    found = masked(value)
    assert masked(found) == found or isinstance(value, int | float)
    if isinstance(value, list):
        assert len(found) == len(value)
