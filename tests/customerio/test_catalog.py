from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.values import json_objects, texts
from worker.customerio import catalog
from worker.customerio.reference import SEMANTIC_EVENTS
from worker.customerio.semantic import reserved


def test_the_catalogue_holds_82_events_in_its_families() -> None:
    names = [name for family in catalog.families().values() for name in family]
    assert len(names) == len(set(names)) == 82
    assert all(catalog.event(name) is not None for name in names)
    assert len(catalog.families()["customerio"]) == 10


def test_the_reserved_names_are_those_that_the_core_knows() -> None:
    for name in [*SEMANTIC_EVENTS.values(), "CIO Location Update"]:
        known = catalog.event(name)
        assert known is not None
        assert known["family"] == "customerio"
        assert reserved(name)
        for wrong in known.get("wrong_names", []):
            assert reserved(wrong.partition(" (")[0])


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("order_completed", "Order Completed"),
        ("orderCompleted", "Order Completed"),
        ("ORDER COMPLETED", "Order Completed"),
        ("Completed Order", "Order Completed"),
        ("Order Complete", "Order Completed"),
        ("Video playback started", "Video Playback Started"),
        ("Order Completed", None),
        (" Order Completed ", None),
        ("Course Started", None),
        ("", None),
    ],
)
def test_a_name_that_is_close_to_a_documented_one_gets_a_suggestion(
    name: str, suggestion: str | None
) -> None:
    assert catalog.suggest(name) == suggestion


@pytest.mark.parametrize(
    ("name", "properties", "warnings"),
    [
        (
            "Order Completed",
            {"revenue": 9.5, "products": [{"price": 1, "quantity": 2.0}], "anything": "x"},
            [],
        ),
        ("Order Completed", {"revenue": None}, []),
        (
            "Order Completed",
            {"revenue": "139.99"},
            ["Order Completed: properties.revenue should be a number"],
        ),
        ("Order Completed", {"revenue": True}, ["Order Completed: properties.revenue should be a number"]),
        ("Order Completed", {"products": {}}, ["Order Completed: properties.products should be a list"]),
        (
            "Order Completed",
            {"products": [{"price": "1"}, {"price": "2"}, "three"]},
            [
                "Order Completed: properties.products[].price should be a number",
                "Order Completed: properties.products[] should be an object",
            ],
        ),
        (
            "Video Playback Paused",
            {"sound": 101},
            ["Video Playback Paused: properties.sound should be from 0 to 100"],
        ),
        (
            "Video Playback Paused",
            {"total_length": 1.5},
            ["Video Playback Paused: properties.total_length should be an integer"],
        ),
        (
            "Video Playback Paused",
            {"total_length": "1"},
            ["Video Playback Paused: properties.total_length should be an integer"],
        ),
        ("Video Playback Started", {"ad_asset_id": "a"}, []),
        ("Video Playback Started", {"ad_asset_id": ["a", "b"]}, []),
        (
            "Video Playback Started",
            {"ad_asset_id": 5},
            ["Video Playback Started: properties.ad_asset_id should be a string or a list"],
        ),
        ("Course Started", {"revenue": "139.99"}, []),
    ],
)
def test_a_property_of_another_type_is_a_warning(
    name: str, properties: dict[str, Any], warnings: list[str]
) -> None:
    assert catalog.check_properties(name, properties) == warnings


def test_a_value_outside_of_an_enumeration_is_a_warning_that_does_not_quote_it() -> None:
    (warning,) = catalog.check_properties("Video Playback Paused", {"ad_type": "secret"})
    assert warning.startswith("Video Playback Paused: properties.ad_type should be one of pre-roll")
    assert "secret" not in warning


@given(texts, json_objects)
def test_any_call_may_be_asked_about(name: str, properties: dict[str, Any]) -> None:
    for known in ("Order Completed", "Video Content Playing", name or "x"):
        assert isinstance(catalog.warnings({"type": "track", "event": known, "properties": properties}), list)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        ({"type": "track", "event": "order_completed"}, "close to the documented name 'Order Completed'"),
        ({"type": "track", "event": "é" * 51}, "event's name is longer than 100 bytes"),
        ({"type": "identify", "userId": "u" * 151}, "an id is longer than 150 bytes"),
        ({"type": "identify", "traits": {"bio": "x" * 1001}}, "a trait's value is larger"),
        ({"type": "identify", "traits": {"k" * 151: 1}}, "a trait's name is longer"),
        ({"type": "identify", "traits": {str(n): n for n in range(301)}}, "more than 300 traits"),
        ({"type": "identify", "traits": {"objectId": "o"}}, "relate the person to an object"),
        ({"type": "identify", "traits": {"createdAt": 1, "created_at": 2}}, "differ"),
        ({"type": "page", "properties": {"url": "u"}}, "name is missing"),
        ({"type": "track", "event": "E", "context": {"ip": "1.1.1.1"}}, "context.ip"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_the_api_takes_but_a_person_should_know(call: dict[str, Any], part: str) -> None:
    (warning,) = catalog.warnings(call)
    assert part in warning
