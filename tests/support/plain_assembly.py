"""How a call is put together, in the plainest way: what `worker.mapping.calls.assembly` writes out for each shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.mapping.calls.assembly import convert, put
from worker.mapping.calls.specs import CallShape, Kind


def plainly_assembled(shape: CallShape, values: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A call's body and the event's own id."""
    found: dict[str, Any] = {}
    for name, field in shape.fields.items():
        if (value := convert(field, values.get(name))) is not None:
            found[name] = value
    if shape.fallback and "userId" not in found and "anonymousId" not in found:
        source, text = shape.fallback
        if stand_in := found.get(source) if source else text:
            found["anonymousId"] = stand_in
    check_complete(shape, found)
    body: dict[str, Any] = {"type": shape.type}
    if shape.event:
        body["event"] = shape.event
    for name, value in found.items():
        for place in shape.fields[name].places:
            put(body, place, value)
    return body, found.get("messageId")


def check_complete(shape: CallShape, found: Mapping[str, Any]) -> None:
    """Refuse a call that lacks what it needs."""
    for name, field in shape.fields.items():
        if field.required and name not in found:
            reason = "MISSING_ID" if field.kind is Kind.IDENTITY else "MISSING_FIELD"
            raise Rejected(Stage.VALIDATE, reason, f"{shape.name} needs {name}.")
    if shape.one_of and not any(name in found for name in shape.one_of):
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{shape.name} needs {' or '.join(shape.one_of)}.")
    if shape.name_or_url and "name" not in found and not found.get("properties", {}).get("url"):
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{shape.name} needs name, or properties.url.")
