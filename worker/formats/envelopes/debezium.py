"""Debezium's change events: a row or document before and after a change, and where the change came from.

With schemas a record's value is `{"schema": ..., "payload": <change>}`, without them the change itself. A change has

    {"before": {...}, "after": {...}, "source": {...}, "op": "u", "ts_ms": 1763719200000}

The event is `after`, or `before` for a delete. Other records of the same connectors are told apart by their fields:
heartbeats, the borders of transactions, logical decoding messages (`op` is `m`) and DDL of the schema change topic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import RecordHeaders
from worker.core.timestamps import from_millis
from worker.formats.envelopes.connect import (
    Columns,
    check_columns,
    columns_of,
    fields_of,
    is_wrapped,
    key_payload,
    payload_of,
)
from worker.formats.envelopes.unwrapped import TYPES, Unwrapped, refuse
from worker.formats.json_values import decode

OPERATIONS = {"c": "create", "u": "update", "d": "delete", "r": "read", "t": "truncate"}
"""The words for each `op` (`io.debezium.data.Envelope.Operation`)."""

UNAVAILABLE = "__debezium_unavailable_value"
"""What a connector writes for a value that the database did not send, by default (`unavailable.value.placeholder`):
a large column that an update left alone."""

_UNAVAILABLE_VALUES: tuple[Any, ...] = (UNAVAILABLE, [UNAVAILABLE], {UNAVAILABLE: UNAVAILABLE})
"""The placeholder for text, for a list of texts and for an hstore column as a map (`PostgresValueConverter`)."""

_WITH_ROW = frozenset({"create", "update", "read"})
_HEARTBEAT = frozenset({"ts_ms", "ts_us", "ts_ns"})
_TRANSACTION = frozenset({"status", "id", "event_count", "data_collections"})
_DDL = frozenset({"ddl", "databaseName"})
EXPECTED = 'expected a change event: {"before": ..., "after": ..., "source": ..., "op": ...}'


class Debezium:
    """See `unwrapped.Envelope`.

    Args:
        send_snapshots: whether snapshot records reach the rules, or are ignored.
    """

    root: str | None = "_change"
    fields: tuple[str, ...] = ("op", "before", "after", "source", "snapshot", "timestamp")
    json_keys: bool = True
    tombstones_on_request: bool = True
    defaults: Mapping[str, str] = {}
    expected: str = EXPECTED

    def __init__(self, *, send_snapshots: bool = False) -> None:
        self.send_snapshots = send_snapshots

    def check(self, headers: RecordHeaders) -> None:
        """See `Envelope.check`. Headers say nothing here."""

    def unwrap(
        self, value: dict[str, Any], headers: RecordHeaders, columns: Collection[str] | None = None
    ) -> Unwrapped:
        """The row. See `Envelope.unwrap`."""
        del headers
        change = change_of(value)
        if change is None:
            return Unwrapped(tombstone=True)
        if change is MESSAGE:
            return Unwrapped(ignored="message")
        about = about_change(change)
        if about["snapshot"] and not self.send_snapshots:
            return Unwrapped(ignored="snapshot")
        name = "before" if about["op"] == "delete" else "after"
        if about[name] is None or about["op"] == "truncate":
            return Unwrapped({}, about)
        check_columns(about[name], row_columns(value.get("schema"), "after"), columns)
        return Unwrapped(about[name], about)

    def of_tombstone(self, headers: RecordHeaders) -> Unwrapped:
        """See `Envelope.of_tombstone`."""
        del headers
        return Unwrapped(tombstone=True)

    def key(self, key: Any) -> Any:
        """See `connect.key_payload`."""
        return key_payload(key)


MESSAGE: dict[str, Any] = {"op": "m"}
"""Stands for each record that is not a change: `change_of` returns it."""


def change_of(value: dict[str, Any]) -> dict[str, Any] | None:
    """The change in a record's value, with a valid `op`, and rows that are objects or null.

    Unavailable values are left out of the rows.

    Returns:
        The change; `MESSAGE` for what is none; None for a payload that is null.

    Raises:
        Rejected: `INVALID_ENVELOPE`.
    """
    change = payload_of(value) if "schema" in value or "payload" in value else value
    if change is None:
        return None
    if is_message(change):
        return MESSAGE
    op = _operation(change)
    source = change.get("source")
    if source is not None and type(source) is not dict:
        refuse(f"`source` is {TYPES[type(source)]}: expected an object.")
    before, after = _row(change, "before"), _row(change, "after")
    if after is None and OPERATIONS[op] in _WITH_ROW:
        refuse(
            f"`op` is '{op}' ({OPERATIONS[op]}), and `after` is null: expected the row as an object.{_hint(change)}"
        )
    return {**change, "before": before, "after": after}


def row_columns(schema: Any, name: str) -> Columns:
    """The types of the columns of `before` or `after`, as far as a change's schema tells them."""
    return next((columns_of(row) for row in fields_of(schema) if row.get("field") == name), {})


def about_change(change: dict[str, Any]) -> dict[str, Any]:
    """What `_change` is.

    Args:
        change: as `change_of` returns it.
    """
    source = change.get("source") or {}
    return {
        "op": OPERATIONS[change["op"]],
        "before": change["before"],
        "after": change["after"],
        "source": change.get("source"),
        "snapshot": change["op"] == "r" or is_snapshot(source.get("snapshot")),
        "timestamp": change_time(source.get("ts_ms"), change.get("ts_ms")),
    }


def is_snapshot(snapshot: Any) -> bool:
    """Whether `source.snapshot` says so; it is `true`, `first`, `last`, `incremental`, ..., or a boolean.

    Empty text is what Protobuf has for null in a field without presence.
    """
    return not (snapshot is None or snapshot is False or snapshot in ("false", ""))


def change_time(of_source: Any, of_connector: Any) -> str | None:
    """When the database made the change, or else when the connector saw it; None if neither is a time."""
    for millis in (of_source, of_connector):
        if type(millis) is int:
            try:
                return from_millis(millis)
            except ValueError:
                continue
    return None


def is_message(change: dict[str, Any]) -> bool:
    """Whether a record is one of the connector's own, and no change."""
    if change.get("op") is not None:
        return bool(change["op"] == "m")
    return (
        (bool(change) and change.keys() <= _HEARTBEAT)
        or (change.keys() >= _TRANSACTION and change["status"] in ("BEGIN", "END"))
        or change.keys() >= _DDL
    )


def _operation(change: dict[str, Any]) -> str:
    """The `op` of a change: one that has a word.

    Raises:
        Rejected: `INVALID_ENVELOPE`.
    """
    op = change.get("op")
    if is_wrapped(change):
        refuse(
            "The payload is a second envelope with `schema` and `payload`: the producer converted it twice."
        )
    if op is None:
        hint = (
            " A record of ExtractNewRecordState needs no envelope."
            if "__op" in change or "__deleted" in change
            else ""
        )
        refuse(f"The value has no `op`: {EXPECTED}.{hint}")
    if type(op) is not str:
        refuse(f"`op` is {TYPES[type(op)]}: expected one of c, u, d, r, t, m.")
    if op not in OPERATIONS:
        refuse("`op` is none of c, u, d, r, t, m.")
    return op


def _hint(change: dict[str, Any]) -> str:
    """What to set so that an update has its row: MongoDB's connector reads it only if it is told to."""
    if change.get("updateDescription") is not None:
        return " Set `capture.mode` to `change_streams_update_full`."
    return ""


def _row(change: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A row without unavailable values; MongoDB's connector writes documents as text."""
    row = change.get(name)
    if type(row) is str:
        row = _document(row, name)
    if row is None:
        return None
    if type(row) is not dict:
        refuse(f"`{name}` is {TYPES[type(row)]}: expected an object or null.")
    return without_unavailable(row)


def _document(text: str, name: str) -> dict[str, Any]:
    try:
        return decode(text.encode())
    except (Rejected, UnicodeEncodeError):
        refuse(f"`{name}` is text that does not hold a JSON object.")


def without_unavailable(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the columns whose values the database did not send."""
    if any(value in _UNAVAILABLE_VALUES for value in row.values()):
        return {name: value for name, value in row.items() if value not in _UNAVAILABLE_VALUES}
    return row
