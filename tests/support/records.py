"""Records for tests, in the shape that Kafka's client gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from worker.core.records import Converter, EncodedCall, QueuedCall, Record, RejectedRecord
from worker.mapping.trying.preview import PreviewRecord

TIME = 1_763_719_200_000
"""2025-11-21T10:00:00Z, in epoch milliseconds."""


def record(event: Any, *, key: bytes | None = b"key", topic: str = "orders", **more: Any) -> PreviewRecord:
    """A record whose value is this JSON; None is a tombstone, bytes are taken as they are."""
    value = event if event is None or isinstance(event, bytes) else orjson.dumps(event)
    given: dict[str, Any] = {"millis": TIME, "at": (3, 42)} | more
    return PreviewRecord(topic, value, key, **given)


def converted(convert: Converter, of: Record) -> list[EncodedCall]:
    """What becomes of one record: its calls as they are sent, without the comma behind. Raises `Rejected`."""
    calls: list[QueuedCall] = []
    rejected: list[RejectedRecord] = []
    ignored = convert([of], calls, rejected)
    assert (ignored, bool(calls), len(rejected)) in {(1, False, 0), (0, True, 0), (0, False, 1)}
    for its, verdict in rejected:
        assert its is of
        raise verdict
    return sent(calls, of)


def run(convert: Converter, records: Sequence[Record]) -> tuple[list[QueuedCall], list[RejectedRecord], int]:
    """What becomes of a run of records: its calls, the rejected records, and how many were ignored."""
    calls: list[QueuedCall] = []
    rejected: list[RejectedRecord] = []
    return calls, rejected, convert(records, calls, rejected)


def sent(calls: list[QueuedCall], of: Record) -> list[EncodedCall]:
    """A record's calls as they are sent, when all else about them is as it must be."""
    key = of.offset() if of.key() is None else of.key()
    assert [(order, its, index) for order, _, its, index, *_ in calls] == [
        (key, of, n) for n in range(len(calls))
    ]
    assert all(body.endswith(b"},") for _, body, *_ in calls)
    return [(body[:-1], context) for _, body, _, _, context, _ in calls]
