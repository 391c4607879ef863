"""Functions that generated code calls where a value fails the fast path."""

from __future__ import annotations

from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.core.records import MAX_CALLS_PER_RECORD, Record
from worker.customerio.semantic import check_event_name
from worker.mapping.calls.assembly import as_time
from worker.mapping.expressions.failures import ExpressionFailed
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


def items_of(found: Any, place: int) -> list[Any]:
    """The items of `for_each` where the list is not plainly one.

    Args:
        found: what the expression found.
        place: how many calls the record becomes so far.

    Raises:
        Rejected: `TOO_MANY_CALLS`, or `EXPRESSION_FAILED` for anything but a list and null.
    """
    if found is None:
        return []
    if not isinstance(found, list):
        raise ExpressionFailed(NO_LIST)
    if place + len(found) > MAX_CALLS_PER_RECORD:
        refuse_too_many()
    return found


NO_LIST = "for_each found something else than a list"


def refuse_too_many() -> NoReturn:
    """Refuse a record with one call too many.

    Raises:
        Rejected: `TOO_MANY_CALLS`, always.
    """
    detail = f"The record would become more than {MAX_CALLS_PER_RECORD} calls."
    raise Rejected(Stage.MAP, "TOO_MANY_CALLS", detail)


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


def refuse_unmatched() -> NoReturn:
    """Refuse an event that no rule matches, where the file says `unmatched: dead_letter`.

    Raises:
        Rejected: `UNMATCHED`, always.
    """
    raise Rejected(Stage.MAP, "UNMATCHED", "No rule matches the event.")
