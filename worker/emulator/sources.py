"""Where a call comes from: the emulator sees only calls, so somebody else has to know their records."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from worker.core.message_id import coordinates_in
from worker.core.timestamps import from_millis

SourceOf = Callable[[str], dict[str, Any] | None]
"""The record of the call with a messageId, as the page shows it; None if unknown. May block, so it runs in a thread.

All keys may be missing: `topic`, `partition`, `offset`, `timestamp`, `key`, `headers`, `value`, `rule`, and `call`, the
position of the call among those of the record.
"""

_EARLIEST_MILLIS = 1_293_840_000_000
"""2011, when Kafka was published. The time in an id that is not made of coordinates is nearly always a later one."""

_DAY_MILLIS = 86_400_000


def coordinates(message_id: str) -> dict[str, Any] | None:
    """What the messageId itself says of the record: its time and offset, unless the mapping names an id of its own."""
    found = coordinates_in(message_id)
    if found is None:
        return None
    millis, offset, call = found
    if not _EARLIEST_MILLIS < millis < time.time() * 1000 + _DAY_MILLIS:
        return None
    return {"timestamp": from_millis(millis), "offset": offset, "call": call}
