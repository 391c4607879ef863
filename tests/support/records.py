"""Records for tests, in the shape that Kafka's client gives them."""

from __future__ import annotations

from typing import Any

import orjson

from worker.mapping.preview import PreviewRecord

TIME = 1_763_719_200_000
"""2025-11-21T10:00:00Z, in epoch milliseconds."""


def record(event: Any, *, key: bytes | None = b"key", topic: str = "orders", **more: Any) -> PreviewRecord:
    """A record whose value is this JSON; None is a tombstone, bytes are taken as they are."""
    value = event if event is None or isinstance(event, bytes) else orjson.dumps(event)
    given: dict[str, Any] = {"millis": TIME, "at": (3, 42)} | more
    return PreviewRecord(topic, value, key, **given)
