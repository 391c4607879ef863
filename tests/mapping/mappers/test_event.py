from __future__ import annotations

import copy
import pickle
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.support.records import TIME, record
from worker import Event
from worker.core.reasons import Rejected
from worker.mapping.trying.preview import PreviewRecord

READ_LATER: dict[str, Any] = {
    "key": "key",
    "headers": {"h": "1"},
    "topic": "orders",
    "partition": 3,
    "offset": 42,
    "timestamp": "2025-11-21T10:00:00.000Z",
    "tombstone": False,
}


class Counting:
    """A record that counts what it is asked for."""

    def __init__(self, of: PreviewRecord) -> None:
        self.asked: Counter[str] = Counter()
        self._of = of

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._of, name)


def of_record(**more: Any) -> Event:
    return Event.of(record({}, of_headers=[("h", b"1")], **more), {"a": 1})


@pytest.mark.parametrize("name", READ_LATER)
def test_an_attribute_is_read_once_and_only_if_used(name: str) -> None:
    asked = Counting(record({}, of_headers=[("h", b"1")]))
    event = Event.of(asked, {"a": 1})
    assert event.value == {"a": 1}
    assert not asked.asked
    assert getattr(event, name) == READ_LATER[name]
    before = asked.asked.copy()
    assert set(before) == {"value" if name == "tombstone" else name}
    assert getattr(event, name) is getattr(event, name)
    assert asked.asked == before


def test_an_event_of_a_record_is_like_any_other_event() -> None:
    made = Event({"a": 1}, **READ_LATER)
    assert of_record() == made
    assert repr(of_record()) == repr(made)
    assert asdict(of_record()) == asdict(made)
    assert replace(of_record(), key="other") == replace(made, key="other")
    for copied in (
        copy.copy(of_record()),
        copy.deepcopy(of_record()),
        pickle.loads(pickle.dumps(of_record())),
    ):
        assert copied == made
        assert not hasattr(copied, "_record")  # which Kafka's client does not let anybody copy


def test_an_attribute_set_by_a_mapper_stays() -> None:
    event = of_record()
    event.key = "mine"
    assert (event.key, event.offset, event.key) == ("mine", 42, "mine")


@pytest.mark.parametrize("event", [of_record(), Event({})], ids=["of a record", "made by hand"])
def test_other_attribute_names_do_not_exist(event: Event) -> None:
    with pytest.raises(AttributeError, match="'Event' object has no attribute 'vaule'"):
        event.vaule  # type: ignore[attr-defined]  # noqa: B018 - reading is what is tested
    assert not hasattr(event, "__iter__")


@pytest.mark.parametrize("millis", [None, -5, 0])
def test_without_a_time_it_is_1970(millis: int | None) -> None:
    assert of_record(millis=millis).timestamp == "1970-01-01T00:00:00.000Z"


def test_an_invalid_record_time_rejects_the_record_only_if_it_is_read() -> None:
    event = of_record(millis=10**17)
    assert event.key == "key"
    with pytest.raises(Rejected, match="INVALID_TIMESTAMP"):
        event.timestamp  # noqa: B018 - reading is what is tested


def test_a_time_has_its_milliseconds() -> None:
    assert of_record(millis=TIME + 7).timestamp == "2025-11-21T10:00:00.007Z"
