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
    "debezium": [
        {
            "when": "_change.op == 'create'",
            "call": "identify",
            "userId": "id",
            "timestamp": "_change.timestamp",
            "messageId": None,
        },
        {"when": "_change.op == 'delete'", "ignore": True},
        {"when": "_change.op == 'update'", "call": "identify", "userId": "id"},
    ],
    "debezium of orders": [
        {"when": "_change.op == 'create'", "event": "Order Created", "userId": "customer_id"},
    ],
    "snapshot": [{"when": "_change.op == 'read'", "call": "identify", "userId": "id"}],
    "structured CloudEvents": [
        {
            "when": f"_ce.type == 'com.corp.parcel.{kind}'",
            "call": "track",
            "event": f"Parcel {kind.title()}",
            "userId": "userId",
            "timestamp": None,
            "messageId": None,
        }
        for kind in ("delivered", "sent")
    ],
    "binary CloudEvents": [
        {"when": "_ce.type == 'corp.booking.made'", "userId": "_ce.subject", "messageId": None}
    ],
    "base64 CloudEvents": [{"when": "_ce.type == 'corp.signup'", "userId": "user_id"}],
    "connect": [
        {"when": f"kind == '{kind}'", "call": "track", "userId": "profile_id"} for kind in ("moved", "seen")
    ],
    "cooks": [{"when": "kind == 'dish.served'", "userId": "cook.id", "timestamp": "emittedAt"}],
}

HEADS = {
    "debezium": {"envelope": "debezium"},
    "debezium of orders": {"envelope": "debezium"},
    "snapshot": {"envelope": "debezium", "snapshot": "send"},
    "structured CloudEvents": {"envelope": "cloudevents"},
    "binary CloudEvents": {"envelope": "cloudevents"},
    "base64 CloudEvents": {"envelope": "cloudevents"},
    "connect": {"envelope": "connect"},
}

ENVELOPES_OWN = {
    "1.0",
    "application/json",
    "application/cloudevents+json; charset=UTF-8",
    "c",
    "d",
    "u",
    "r",
}
"""Values without which a record is in no envelope."""


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
    mapping = parse(text, "m.yaml").data
    rules = mapping.pop("rules")
    assert mapping == {"topics": [shape.topic], **HEADS.get(name, {})}
    found = [{key: rule.get(key) for key in wanted} for rule, wanted in zip(rules, WANTED[name], strict=True)]
    assert found == WANTED[name], text
    mappings = Mappings.load(
        [str(mapping_file)], mapper_path=[], base=tmp_path, dead_letter_topic="dead-letters"
    )
    fixtures = read_fixtures(fixture_file.read_bytes(), "f.yaml")
    assert len(fixtures) == len(rules)
    assert [run_fixture(mappings, fixture).diff for fixture in fixtures] == [""] * len(rules)
    outcomes = {key for fixture in fixtures for key in fixture.expected}
    assert outcomes == {"ignored" if rule.get("ignore") else "calls" for rule in rules}


@pytest.mark.parametrize("name", SHAPES)
def test_no_text_number_or_id_of_a_record_is_in_a_fixture(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    fixtures = parse(write_draft(tmp_path, shape.topic, records(shape))[-1].read_bytes(), "f.yaml").data
    real = {value for event, key, headers in shape.records() for value in _values([event, key, headers])}
    kept = {"track", "identify", "page", *ENVELOPES_OWN} | {
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
        set(fixture["event"]) == {name.removesuffix("_base64") for name in event}
        for fixture, event in zip(fixtures, _by_kind(shape), strict=True)
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


def changes(*ops: str, snapshot: str = "false") -> list[PreviewRecord]:
    """Change events of two rows for each `op`."""
    return [
        PreviewRecord(
            "members",
            orjson.dumps(
                {
                    "op": op,
                    "before": {"id": row} if op == "d" else None,
                    "after": None if op == "d" else {"id": row},
                    "source": {"ts_ms": 1_751_465_600_000, "snapshot": snapshot},
                }
            ),
            orjson.dumps({"id": row}),
        )
        for op in ops
        for row in (17, 18)
    ]


def drafted(folder: Path, records: list[PreviewRecord]) -> str:
    return write_draft(folder, "members", records)[-2].read_text()


def test_a_draft_of_changes_says_which_changes_it_has_not_seen(tmp_path: Path) -> None:
    assert "# check: no update and no delete was among the records" in drafted(tmp_path, changes("c"))
    assert "no create" not in drafted(tmp_path / "all", changes("c", "u", "d"))


def test_snapshot_records_are_left_out_of_a_draft_where_there_are_others(tmp_path: Path) -> None:
    text = drafted(tmp_path, [*changes("c"), *changes("r"), *changes("u", snapshot="last")])
    assert "# check: 4 of the records are of a snapshot; `snapshot: send` maps them too" in text
    assert "read" not in text


def test_a_draft_says_how_many_records_are_in_no_envelope(tmp_path: Path) -> None:
    text = drafted(tmp_path, [*changes("c"), PreviewRecord("members", b'{"id": 19}')])
    assert "envelope: debezium" in text
    assert "# check: 1 of the records are in no such envelope, and would be dead letters" in text


def test_the_rule_for_tombstones_reads_the_field_of_the_key(tmp_path: Path) -> None:
    tombstone = PreviewRecord("members", None, b'{"id": 17}')
    text = drafted(tmp_path, [*changes("c"), tombstone])
    assert "#   userId: _kafka.key.id" in text
    fixtures = parse((tmp_path / "tests/members.yaml").read_bytes(), "f.yaml").data
    assert fixtures[0]["key"] == {"id": fixtures[0]["event"]["after"]["id"]}


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


def test_fields_and_topics_with_names_that_yaml_or_expressions_read_otherwise(tmp_path: Path) -> None:
    event = {
        "user_id": "u",
        "null": 1,
        "true": 2,
        "yes": 3,
        "and": 4,
        "a.b": 5,
        "": 6,
        "'": 7,
        "`": 8,
        "$x": 9,
    }
    *_, mapping_file, fixture_file = write_draft(tmp_path, "no", [PreviewRecord("no", orjson.dumps(event))])
    assert parse(mapping_file.read_bytes(), "m.yaml").data["topics"] == ["no"]
    (fixture,) = parse(fixture_file.read_bytes(), "f.yaml").data
    assert set(fixture["calls"][0]["properties"]) == set(event) - {"user_id"}


def test_no_field_is_lost_where_two_have_the_same_name(tmp_path: Path) -> None:
    event = {"user_id": "u", "plan": "outer", "data": {"plan": "inner"}}
    text = write_draft(tmp_path, "t", [PreviewRecord("t", orjson.dumps(event))])[-2].read_text()
    assert "      plan: data.plan\n      event_plan: plan\n" in text
