"""Splits a request body into calls. Sizes and duplicates are checked on the exact bytes that were sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from worker.emulator import rules

ENDPOINTS = (*rules.TYPES, "batch")


@dataclass(slots=True)
class Item:
    """One call of a request.

    Attributes:
        raw: its exact bytes in the body.
        call: the decoded call, with the endpoint's `type`; None if it is not an object.
        errors: why the API refuses it; empty if it accepts it.
        notices: findings that the API accepts, but that may be a mistake.
    """

    raw: bytes
    call: dict[str, Any] | None
    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RequestBody:
    """The content of one body.

    Attributes:
        items: its calls, in order; empty if the body itself is invalid.
        errors: of the body as a whole.
        notices: of the body as a whole.
    """

    items: list[Item] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def all_errors(self) -> list[str]:
        """All errors; those of a batch's calls with their index."""
        several = len(self.items) > 1
        return self.errors + [
            f"batch[{index}]: {error}" if several else error
            for index, item in enumerate(self.items)
            for error in item.errors
        ]


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    context: msgspec.Raw = msgspec.Raw(b"")
    integrations: msgspec.Raw = msgspec.Raw(b"")


_BATCH = msgspec.json.Decoder(_Batch)


def parse_body(endpoint: str, body: bytes, *, strict: bool) -> RequestBody:
    """Parse a body of `/v1/{endpoint}` and check every call in it."""
    if len(body) > rules.MAX_BODY_BYTES:
        return RequestBody(errors=[f"the body is larger than {rules.MAX_BODY_BYTES} bytes"])
    if endpoint == "batch":
        return _batch(body, strict=strict)
    return RequestBody(items=[_item(body, endpoint, strict=strict)])


def _batch(body: bytes, *, strict: bool) -> RequestBody:
    try:
        batch = _BATCH.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return RequestBody(errors=[_error_of(body)])
    if not batch.batch:
        return RequestBody(errors=["batch must not be empty"])
    parsed = RequestBody(items=[_item(bytes(raw), None, strict=strict) for raw in batch.batch])
    _check_batch_context(parsed, bytes(batch.context), bytes(batch.integrations))
    return parsed


def _error_of(body: bytes) -> str:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the body must be JSON in UTF-8"
    if not isinstance(value, dict):
        return "the body must be an object"
    return "batch is required and must be an array"


def _item(raw: bytes, endpoint: str | None, *, strict: bool) -> Item:
    try:
        call = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Item(raw, None, ["a call must be JSON in UTF-8"])
    if not isinstance(call, dict):
        return Item(raw, None, ["a call must be an object"])
    item = Item(raw, call)
    if len(raw) > rules.MAX_CALL_BYTES:
        item.errors.append(f"the call is larger than {rules.MAX_CALL_BYTES} bytes")
    if endpoint is not None and call.setdefault("type", endpoint) != endpoint:
        item.errors.append("type must be that of the endpoint")
        return item
    findings = rules.examine(call, strict=strict)
    item.errors.extend(findings.errors)
    item.notices.extend(findings.notices)
    return item


def _check_batch_context(body: RequestBody, context: bytes, integrations: bytes) -> None:
    """The three documented batch rules (docs/decisions/0002) agree only if all calls have the same context."""
    default = orjson.loads(context) if context else None
    if default is not None and not isinstance(default, dict):
        body.errors.append("context must be an object")
    calls = [item.call for item in body.items if item.call is not None]
    contexts = {_canonical(call.get("context", default)) for call in calls}
    choices = {_canonical(call.get("integrations")) for call in calls}
    if len(contexts | {_canonical(default)} if context else contexts) > 1:
        body.notices.append("one request holds several contexts: an older batch rule keeps one of them")
    if len(choices) > 1:
        body.notices.append("one request holds several integrations: an older batch rule keeps one of them")
    if integrations and choices == {b"null"}:
        body.notices.append("top-level integrations have no effect on calls without their own")
    named = [(item.call.get("messageId"), item.raw) for item in body.items if item.call is not None]
    ids = {(message_id, raw) for message_id, raw in named if isinstance(message_id, str)}
    if len({message_id for message_id, _ in ids}) < len(ids):
        body.notices.append("two different calls of one request share a messageId: one of them is lost")


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
