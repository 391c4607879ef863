"""A record that can never be delivered, before its dead letter is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.core.reasons import Stage
    from worker.core.records import Record


@dataclass(slots=True)
class FailedRecord:
    """A record that can never be delivered, and why (docs/decisions/0006).

    Attributes:
        record: the record as it was consumed.
        stage, reason, detail, call_index, rule: see `Rejected`.
        status: the HTTP status of the API's response, for stage `deliver`.
        errors: the API's error messages, redacted.
        attempts: how many times the call was sent.
        failed_at: epoch seconds.
    """

    record: Record
    stage: Stage
    reason: str
    detail: str
    failed_at: float
    call_index: int | None = None
    rule: str | None = None
    status: int | None = None
    errors: tuple[str, ...] = ()
    attempts: int = 0
