"""What a request body must be beside its calls, by the reading of the API's documents that is strictest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson


class BatchError(Exception):
    """This body is no batch, or the API may lose a part of it."""


def check_batch(body: Any) -> None:
    """Check a body (reference, Batch).

    Two readings of the reference differ on whether calls of one batch may have different contexts; here they
    may not.

    Raises:
        BatchError: it has no calls, they differ in context or integrations, or two have the same messageId.
    """
    calls = body.get("batch") if isinstance(body, Mapping) else None
    if not isinstance(calls, list) or not calls or not all(isinstance(call, Mapping) for call in calls):
        raise BatchError("a batch is an object whose `batch` is a list of at least one call")
    for field in ("context", "integrations"):
        seen = {_canonical(call.get(field, body.get(field))) for call in calls}
        if len(seen) > 1 or (field in body and seen != {_canonical(body[field])}):
            raise BatchError(f"the calls of a batch have the same {field}")
    ids = [call["messageId"] for call in calls if isinstance(call.get("messageId"), str)]
    if len(set(ids)) < len(ids):
        raise BatchError("two calls of a batch have the same messageId")


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
