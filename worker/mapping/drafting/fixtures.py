"""Fixtures for a draft: an event of each kind with made-up values, and what the draft makes of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import orjson
from ruamel.yaml import YAML

from worker.mapping.drafting.made_up import MadeUp
from worker.mapping.trying.fixtures import DEFAULT_TIME, key_bytes, millis_of
from worker.mapping.trying.preview import PREVIEW_IDS, PreviewRecord, answer

if TYPE_CHECKING:
    from worker.mapping.drafting.draft import Draft, Rule
    from worker.mapping.mappings import Mappings

_WIDTH = 100


def fixtures(draft: Draft, topic: str, mappings: Mappings) -> str:
    """The fixture file of a draft.

    Args:
        draft: of the mapping.
        topic: of the events.
        mappings: the draft, loaded.
    """
    made_up = MadeUp(draft.values)
    events = [_fixture(rule, draft, topic, made_up) for rule in draft.rules]
    found = [event | _outcome(event, mappings) for event in events]
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # the library declares None only
    yaml.width = _WIDTH
    text = io.StringIO()
    yaml.dump(found, text)
    return text.getvalue()


def _fixture(rule: Rule, draft: Draft, topic: str, made_up: MadeUp) -> dict[str, Any]:
    sample = rule.sample
    assert sample.value is not None, "rules are drafted from events"
    kept = draft.kept
    fixture: dict[str, Any] = {"name": rule.kind or f"an event of {topic}", "topic": topic}
    if sample.key_object is not None:
        fixture["key"] = made_up.event(sample.key_object, frozenset())
    elif sample.key is not None:
        fixture["key"] = made_up.text(sample.key)
    if sample.headers:
        fixture["headers"] = {
            name: value if ("_kafka", "headers", name) in kept else made_up.text(value)
            for name, value in sample.headers.items()
        }
    fixture["event"] = made_up.event(sample.value, kept)
    return fixture


def _outcome(fixture: dict[str, Any], mappings: Mappings) -> dict[str, Any]:
    """What the mapping makes of the event, as a fixture expects it."""
    record = PreviewRecord(
        fixture["topic"],
        orjson.dumps(fixture["event"]),
        key_bytes(fixture.get("key")),
        [(name, value.encode()) for name, value in fixture.get("headers", {}).items()],
        millis_of(DEFAULT_TIME),
    )
    found = answer(mappings.explain(record, PREVIEW_IDS))
    if "rejected" in found:
        return {"rejected": found["rejected"]["reason"]}
    if "ignored" in found:
        return {"ignored": True}
    return {
        "calls": [
            {name: each for name, each in call.items() if name != "messageId"} for call in found["calls"]
        ]
    }
