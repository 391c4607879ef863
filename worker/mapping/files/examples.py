"""Example rules for events of the catalogue, which `events NAME` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from worker.customerio.semantic import INTERNAL_EVENT
from worker.mapping.calls.specs import CALLS, CallSpec, Field, Kind
from worker.mapping.expressions.parser import UNQUOTED_NAME

_COMMON = {"context", "integrations", "timestamp", "messageId", "anonymousId", "properties"}
_SEMANTIC = {spec.event: spec for spec in CALLS.values() if spec.event}


def example_rule(event: dict[str, Any]) -> str | None:
    """The YAML of a rule that sends this event, with expressions named after the fields.

    Args:
        event: as `catalog.event` has it.

    Returns:
        None for the event that only Customer.io itself sends.
    """
    if event["name"] == INTERNAL_EVENT:
        return None
    spec = _SEMANTIC.get(event["name"])
    lines = _semantic(spec) if spec else _track(event)
    return "\n".join([f"- when: type == '{_type(event['name'])}'", *(f"  {line}" for line in lines), ""])


def _type(name: str) -> str:
    """A likely `type` of the domain event: `order.completed` for `Order Completed`."""
    return ".".join(re.findall(r"[a-z0-9]+", name.lower()))


def _semantic(spec: CallSpec) -> Iterator[str]:
    yield f"call: {spec.name}"
    for field in spec.fields.values():
        if field.required or field.name not in _COMMON:
            optional = "" if field.required or field.name in spec.one_of else "   # optional"
            yield f"{field.name}: {_source(field)}{optional}"


def _source(field: Field) -> str:
    return "customer.id" if field.kind is Kind.IDENTITY and field.name == "userId" else field.parameter


def _track(event: dict[str, Any]) -> Iterator[str]:
    yield "call: track"
    yield f"event: {event['name']}"
    yield "userId: customer.id"
    properties = [key for key in event.get("properties", {}) if key != "*"]
    if properties:
        yield "properties:"
    for key in properties:
        yield f"  {key if UNQUOTED_NAME.fullmatch(key) else json.dumps(key)}: {_expression(key)}"


def _expression(key: str) -> str:
    """The JMESPath expression for a key, as YAML."""
    return key if UNQUOTED_NAME.fullmatch(key) else f"'{json.dumps(key)}'"
