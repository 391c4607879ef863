"""What generated code calls for a value that is not the usual one."""

from __future__ import annotations

from typing import Any

from worker.core.reasons import Rejected, Stage
from worker.core.records import Record
from worker.customerio.semantic import check_event_name
from worker.mapping.calls.assembly import as_time
from worker.mapping.kafka_fields import record_time


def time_of(found: Any, record: Record) -> str | None:
    """The time that an event gives; the record's own where it gives none.

    Raises:
        Rejected: `INVALID_TIMESTAMP`.
    """
    return record_time(record) if found is None else as_time(found)


def event_name(found: Any) -> str:
    """An event name that was computed: ordinary, and there.

    Raises:
        Rejected: `MISSING_FIELD`, `INVALID_NAME` or `RESERVED_NAME`.
    """
    if found is None:
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", "event_from found no event name.")
    return check_event_name(found)


def nobody(call: str, wanted: list[str]) -> None:
    """Refuse a call that is about nobody.

    Raises:
        Rejected: `MISSING_ID`, always.
    """
    raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{call} needs {' or '.join(wanted)}: none was found.")


def need_url(call: str, properties: dict[str, Any] | None) -> None:
    """Refuse a page or screen without a name that has no `properties.url` either.

    Raises:
        Rejected: `MISSING_FIELD`.
    """
    url = (properties or {}).get("url")
    if not isinstance(url, str) or not url.strip():
        raise Rejected(Stage.VALIDATE, "MISSING_FIELD", f"{call} needs name, or properties.url.")
