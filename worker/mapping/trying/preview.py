"""Dry runs: what a mapping makes of an event without producing it to Kafka.

Behind the command `map`, for each line of its input:

    found = map_event(mappings, PreviewRecord("orders", line, of_key=b"cust-1"))
    print(orjson.dumps(found).decode())
    failed = failed or "rejected" in found

Behind `dlq show`: `mappings.explain(record, ids)`, and `answer(explanation)` for its outcome in the same
words. What the command `test` needs is in `fixtures`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from worker.core.message_id import MessageIds
from worker.mapping.explaining import Explanation
from worker.mapping.mappings import Mappings

PREVIEW_CLUSTER = "preview"
"""The cluster id that message ids of dry runs are made with, unless the caller knows the real one."""

PREVIEW_IDS = MessageIds(PREVIEW_CLUSTER)
"""One maker of ids for all dry runs: rules are compiled anew for another."""


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """A record that was never in Kafka; a `records.Record`.

    Attributes:
        of_topic: its topic.
        bytes_: its value; None for a tombstone.
        of_key: its key.
        of_headers: its headers, in order.
        millis: its timestamp, epoch milliseconds; None for a record without one.
        at: its partition and offset.
        made_up_time: whether its timestamp stands for none given. Then `limits.future` does not apply.
    """

    of_topic: str
    bytes_: bytes | None
    of_key: bytes | None = None
    of_headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    millis: int | None = None
    at: tuple[int, int] = (0, 0)
    made_up_time: bool = False

    def topic(self) -> str:
        """The topic's name."""
        return self.of_topic

    def partition(self) -> int:
        """The partition's number."""
        return self.at[0]

    def offset(self) -> int:
        """The offset in the partition."""
        return self.at[1]

    def key(self) -> bytes | None:
        """The key."""
        return self.of_key

    def value(self) -> bytes | None:
        """The value."""
        return self.bytes_

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """The headers; None if there are none, as Kafka's client has it."""
        return self.of_headers or None

    def timestamp(self) -> tuple[int, int]:
        """Kafka's kind of timestamp, and epoch milliseconds."""
        return (0, -1) if self.millis is None else (1, self.millis)


def map_event(mappings: Mappings, record: PreviewRecord, ids: MessageIds | None = None) -> dict[str, Any]:
    """What becomes of one event, as `map` prints it.

    Returns:
        `{"calls": [...]}`, each exactly as it would be sent; `{"ignored": why}`; or
        `{"rejected": {"stage": ..., "reason": ..., "detail": ...}}`.
    """
    return answer(mappings.explain(record, ids or PREVIEW_IDS))


def answer(explanation: Explanation) -> dict[str, Any]:
    """The outcome of an explanation, in the words of `map_event`; `{"unknown": why}` where it is not known."""
    if explanation.unknown is not None:
        return {"unknown": explanation.unknown}
    if rejected := explanation.rejected:
        verdict = {"stage": rejected.stage.value, "reason": rejected.reason, "detail": rejected.detail}
        return {"rejected": verdict}
    if explanation.ignored is not None:
        return {"ignored": explanation.ignored}
    return {"calls": explanation.calls}


def outcome_of(explanation: Explanation) -> str:
    """The outcome in words: `sent`, `ignored (no rule matched)`, `rejected with MISSING_ID`."""
    if explanation.rejected is not None:
        return f"rejected with {explanation.rejected.reason}"
    return "sent" if explanation.ignored is None else f"ignored ({explanation.ignored})"
