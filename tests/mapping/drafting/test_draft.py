"""A draft from every shape passes `check` and `test`, has the fields in their places, and holds no real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.mapping.drafting.shapes import SHAPES, Shape
from worker.documents.document import parse
from worker.mapping.mappings import Mappings
from worker.mapping.trying.fixtures import read_fixtures, run_fixture
from worker.mapping.trying.preview import PreviewRecord
from worker.programs.drafting import DraftError, write_draft

WANTED: dict[str, list[dict[str, Any]]] = {
    "stripe": [
        {"when": "type == 'customer.created'", "call": "identify", "userId": "data.object.id"},
        {
            "when": "type == 'customer.subscription.deleted'",
            "call": "track",
            "event": "Customer Subscription Deleted",
            "userId": "data.object.customer",
        },
        {
            "when": "type == 'invoice.paid'",
            "userId": "data.object.customer",
            "timestamp": "created",
            "messageId": "id",
        },
    ],
    "shopify": [
        {
            "when": "_kafka.headers.\"X-Shopify-Topic\" == 'orders/create'",
            "event": "Orders Create",
            "userId": "customer.id",
            "timestamp": "created_at",
        }
    ],
    "github": [
        {"when": f"action == '{action}'", "call": "track", "userId": "pull_request.user.id"}
        for action in ("closed", "opened")
    ],
    "segment": [
        {
            "call": "identify",
            "userId": "userId",
            "anonymousId": "anonymousId",
            "timestamp": "originalTimestamp",
        },
        {"call": "page", "name": "name", "messageId": "messageId"},
        {"call": "track", "event_from": "event"},
    ],
    "snowplow": [
        {
            "when": "event == 'page_view'",
            "event": "Page View",
            "userId": "user_id",
            "anonymousId": "domain_userid",
            "messageId": "event_id",
            "timestamp": "collector_tstamp",
        },
        {"when": "event == 'struct'"},
    ],
    "outbox": [{"call": "track", "userId": "customerId"}],
    "readings": [{"ignore": True}],
    "rows": [{"call": "identify", "userId": "id"}],
}


def records(shape: Shape) -> list[PreviewRecord]:
    return [
        PreviewRecord(
            shape.topic,
            orjson.dumps(event),
            None if key is None else key.encode(),
            [(name, text.encode()) for name, text in headers.items()],
            1_751_465_600_000,
            (0, offset),
        )
        for offset, (event, key, headers) in enumerate(shape.records())
    ]


@pytest.mark.parametrize("name", SHAPES)
def test_a_draft_has_the_fields_in_their_places_and_its_fixtures_pass(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    *_, mapping_file, fixture_file = write_draft(tmp_path, shape.topic, records(shape))
    text = mapping_file.read_text()
    rules = parse(text, "m.yaml").data["rules"]
    found = [{key: rule.get(key) for key in wanted} for rule, wanted in zip(rules, WANTED[name], strict=True)]
    assert found == WANTED[name], text
    mappings = Mappings.load(
        [str(mapping_file)], mapper_path=[], base=tmp_path, dead_letter_topic="dead-letters"
    )
    fixtures = read_fixtures(fixture_file.read_bytes(), "f.yaml")
    assert len(fixtures) == len(rules)
    assert [run_fixture(mappings, fixture).diff for fixture in fixtures] == [""] * len(rules)
    outcomes = {key for fixture in fixtures for key in fixture.expected}
    assert outcomes == ({"ignored"} if name == "readings" else {"calls"})


@pytest.mark.parametrize("name", SHAPES)
def test_no_text_number_or_id_of_a_record_is_in_a_fixture(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    fixtures = parse(write_draft(tmp_path, shape.topic, records(shape))[-1].read_bytes(), "f.yaml").data
    real = {value for event, key, headers in shape.records() for value in _values([event, key, headers])}
    kept = {"track", "identify", "page"} | {
        rule.get("when", "").rpartition(" == ")[2].strip("'") for rule in WANTED[name]
    }
    written = {
        value for each in fixtures for value in _values([each["event"], each.get("key"), each.get("headers")])
    }
    assert written
    assert not written & (real - kept)


@pytest.mark.parametrize("name", SHAPES)
def test_equal_values_stay_equal(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    fixtures = parse(write_draft(tmp_path, shape.topic, records(shape))[-1].read_bytes(), "f.yaml").data
    assert all(
        set(fixture["event"]) == set(event) for fixture, event in zip(fixtures, _by_kind(shape), strict=True)
    )
    if name == "github":
        event = fixtures[0]["event"]
        assert event["pull_request"]["user"]["id"] == event["sender"]["id"]
    if name == "stripe":
        assert len({fixture["event"]["api_version"] for fixture in fixtures}) == 1


def test_records_that_are_no_events_say_why(tmp_path: Path) -> None:
    with pytest.raises(DraftError, match="has no records"):
        write_draft(tmp_path, "orders", [])
    with pytest.raises(DraftError, match="none of the 1 newest records of orders is an event: INVALID_JSON"):
        write_draft(tmp_path, "orders", [PreviewRecord("orders", b"{broken")])
    with pytest.raises(DraftError, match="all values are null"):
        write_draft(tmp_path, "orders", [PreviewRecord("orders", None)])
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "billing.yaml").write_text("mine")
    with pytest.raises(DraftError, match="already exists"):
        write_draft(tmp_path, "billing", records(SHAPES["stripe"]))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["billing.yaml"]


def test_a_field_with_a_value_that_was_seen_once_tells_no_kinds_apart(tmp_path: Path) -> None:
    events = [{"type": kind, "user_id": "u"} for kind in ("a", "a", "b")]
    written = write_draft(tmp_path, "t", [PreviewRecord("t", orjson.dumps(event)) for event in events])
    assert "when:" not in written[-2].read_text()


def test_tombstones_are_noted(tmp_path: Path) -> None:
    shape = SHAPES["rows"]
    written = write_draft(tmp_path, "customers", [*records(shape), PreviewRecord("customers", None, b"k")])
    assert "# check: 1 of the records had no value (tombstones)" in written[-2].read_text()


def _values(value: Any) -> set[str]:
    """Every text and number that could tell something: of two characters at least, and no boolean's name."""
    match value:
        case bool() | None:
            return set()
        case str() | int() | float():
            return {str(value)} if len(str(value)) > 1 and value not in {"true", "false"} else set()
        case dict():
            return set().union(*map(_values, value.values()))
        case _:
            return set().union(*map(_values, value))


def _by_kind(shape: Shape) -> list[dict[str, Any]]:
    """The templates in the order of their kinds."""
    return sorted(
        shape.events, key=lambda event: str(event.get("type", event.get("action", event.get("event"))))
    )
