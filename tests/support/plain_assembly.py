"""How a call is put together, in the plainest way: what `worker.mapping.calls.assembly` writes out for each spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.mapping.calls.assembly import convert, put
from worker.mapping.calls.specs import CallSpec, Kind


def plainly_assembled(spec: CallSpec, values: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A call's body and the event's own id."""
    found: dict[str, Any] = {}
    for name, field in spec.fields.items():
        if (value := convert(field, values.get(name))) is not None:
            found[name] = value
    if spec.fallback and "userId" not in found and "anonymousId" not in found:
        source, text = spec.fallback
        if stand_in := found.get(source) if source else text:
            found["anonymousId"] = stand_in
    check_complete(spec, found)
    body: dict[str, Any] = {"type": spec.type}
    if spec.event:
        body["event"] = spec.event
    for name, value in found.items():
        for place in spec.fields[name].places:
            put(body, place, value)
    return body, found.get("messageId")


def check_complete(spec: CallSpec, found: Mapping[str, Any]) -> None:
    """Refuse a call that lacks what it needs."""
    for name, field in spec.fields.items():
        if field.required and name not in found:
            reason = "MISSING_ID" if field.kind is Kind.IDENTITY else "MISSING_FIELD"
            raise Rejected(Stage.VALIDATE, reason, f"{spec.name} needs {name}.")
    if spec.one_of and not any(name in found for name in spec.one_of):
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{spec.name} needs {' or '.join(spec.one_of)}.")
    if spec.name_or_url and "name" not in found and not found.get("properties", {}).get("url"):
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{spec.name} needs name, or properties.url.")
