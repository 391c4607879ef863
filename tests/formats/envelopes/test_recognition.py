"""Which envelope a topic has, told from its records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.formats.envelopes.test_corpus import CORPUS
from worker.formats.envelopes.recognition import Recognised, envelope_word, recognised

ACCEPTED = [
    pytest.param(each, id=f"{name}: {each['name']}")
    for name, each in CORPUS
    if not {"rejected", "ignored", "tombstone"} & each.keys()
    and each["name"] != "a change of Debezium, taken as it is"
]
CHANGE = {"before": None, "after": {"id": 1}, "op": "c"}


def headers_of(given: dict[str, Any]) -> list[tuple[str, bytes | None]]:
    return [(name, text.encode()) for name, text in given.get("headers", {}).items()]


@pytest.mark.parametrize("given", ACCEPTED)
def test_an_envelope_is_recognised(given: dict[str, Any]) -> None:
    # The payload alone, without its schema, is no form of Connect's converter.
    expected = given["envelope"]
    assert envelope_word(given["value"], headers_of(given)) == expected


@pytest.mark.parametrize(
    "value", [{"type": "order.completed"}, {"id": 1, "op": "c"}, [1], "text", {"schema": 1}]
)
def test_a_plain_value_has_no_envelope(value: Any) -> None:
    assert envelope_word(value, []) == "none"


@pytest.mark.parametrize("value", [None, {"schema": None, "payload": None}, {"ts_ms": 1763719200000}])
def test_some_records_do_not_tell(value: Any) -> None:
    assert envelope_word(value, []) is None


def test_most_samples_decide_and_the_others_are_counted() -> None:
    samples: list[Any] = [(CHANGE, []), (CHANGE, []), ({"a": 1}, []), (None, [])]
    assert recognised(samples) == Recognised("debezium", 2, 3)
    assert not recognised(samples).is_certain
    assert recognised(samples[:2]).is_certain
    assert recognised([(None, [])]) == Recognised("none", 0, 0)
