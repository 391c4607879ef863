"""What rules see of a value in an envelope, from the description of the value."""

from __future__ import annotations

from typing import NamedTuple

from worker.formats.description import (
    BOOLEAN,
    OBJECT,
    TIMESTAMP,
    Description,
    either,
    enum_of,
    object_of,
    of,
    optional,
)
from worker.formats.envelopes.debezium import OPERATIONS

_CLOUDEVENT = ("specversion", "id", "source", "type")


class Seen(NamedTuple):
    """What rules see.

    Attributes:
        event: the event; None if the value is in no such envelope.
        about: what `_change` or `_ce` is; None if that is not known.
    """

    event: Description | None
    about: Description | None = None


def seen(envelope: str, value: Description) -> Seen:
    """What rules see of such values.

    Args:
        envelope: the word in the mapping file.
        value: what values are.
    """
    match envelope:
        case "debezium":
            return _of_change(_payload(value) or value)
        case "connect":
            return Seen(_payload(value))
        case "cloudevents" if all(value.field(name) for name in _CLOUDEVENT):
            return Seen(value.field("data"))
    return Seen(value)


def _payload(value: Description) -> Description | None:
    return value.field("payload") if "payload" in value.names and "schema" in value.names else None


def _of_change(change: Description) -> Seen:
    rows = [row for name in ("after", "before") if (row := change.field(name)) is not None]
    if not rows:
        return Seen(None)
    row = either(rows)
    objects = Description(tuple(branch for branch in row.branches if branch.kind == OBJECT))
    about = {
        "op": enum_of(OPERATIONS.values()),
        "before": optional(objects),
        "after": optional(objects),
        "snapshot": of(BOOLEAN),
        "timestamp": optional(TIMESTAMP),
    }
    source = change.field("source")
    return Seen(objects, object_of(about | ({} if source is None else {"source": source})))
