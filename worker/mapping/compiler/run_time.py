"""Functions that generated code calls where a value fails the fast path."""

from __future__ import annotations

from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.core.records import Record
from worker.customerio.semantic import check_event_name
from worker.mapping.calls.assembly import as_time
from worker.mapping.kafka_fields import record_time


def time_of(found: Any, record: Record) -> str | None:
    """The time that the event has, or else the record's.

    Raises:
        Rejected: `INVALID_TIMESTAMP`.
    """
    return record_time(record) if found is None else as_time(found)


def event_name(found: Any) -> str:
    """Check an event name that `event_from` computed.

    Raises:
        Rejected: `MISSING_FIELD`, `INVALID_NAME` or `RESERVED_NAME`.
    """
    if found is None:
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", "event_from found no event name.")
    return check_event_name(found)


def refuse_missing(reason: str, detail: str) -> NoReturn:
    """Refuse a call that lacks what it needs.

    Raises:
        Rejected: always, with this reason and detail.
    """
    raise Rejected(Stage.VALIDATE, reason, detail)


def need_url(call: str, properties: dict[str, Any] | None) -> None:
    """Refuse a page or screen without a name that has no `properties.url` either.

    Raises:
        Rejected: `MISSING_FIELD`.
    """
    url = (properties or {}).get("url")
    if not isinstance(url, str) or not url.strip():
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{call} needs name, or properties.url.")
