"""The words that every other room uses: record, event, call, partition, rejection, problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Partition = tuple[str, int]
"""A topic's name and a partition's number."""

EncodedCall = tuple[bytes, bytes]
"""A call as it is sent, and its envelope.

The body is the call's exact UTF-8 JSON. The envelope is `b""` for a call that has neither `context` nor
`integrations`; else it is the canonical JSON (sorted keys) of the two, written as the members that a batch
repeats at its top level: `"context":{...},"integrations":{...}`. Calls share a request only if their
envelopes are equal.
"""

MAX_CALLS_PER_RECORD = 256
"""What one record may become: the message id has eight bits for a call's index."""

MAX_CALL_BYTES = 32_000
"""The largest call, in exact UTF-8 bytes: 32 KB (Customer.io Pipelines API reference), read as thousands."""

SEMANTIC_EVENTS = {
    "delete_user": "User Deleted",
    "suppress_user": "User Suppressed",
    "unsuppress_user": "User Unsuppressed",
    "create_or_update_device": "Device Created or Updated",
    "delete_device": "Device Deleted",
    "delete_relationship": "Relationship Deleted",
    "delete_object": "Object Deleted",
    "report_delivery_event": "Report Delivery Event",
    "report_content_event": "Report Content Event",
}
"""The calls that are a `track` with a reserved event name, and that name (reference, Semantic events)."""

DEVICE_TYPES = ("ios", "android")
"""The platforms of a device (reference, Device Created or Updated)."""

DELIVERY_METRICS = (
    "delivered",
    "opened",
    "clicked",
    "converted",
    "spammed",
    "bounced",
    "dropped",
    "deferred",
)
"""What became of a message: the reference's first four, and four more that Customer.io's action for Segment
takes."""

CONTENT_ACTIONS = ("viewed_content", "clicked_content")
"""What somebody did with content (newer reference, Report Content Event)."""

LOOK_ALIKES = {
    "delete person": "User Deleted",
    "person deleted": "User Deleted",
    "delete user": "User Deleted",
    "suppress person": "User Suppressed",
    "suppress user": "User Suppressed",
    "person suppressed": "User Suppressed",
    "unsuppress person": "User Unsuppressed",
    "unsuppress user": "User Unsuppressed",
    "person unsuppressed": "User Unsuppressed",
    "create device": "Device Created or Updated",
    "device created": "Device Created or Updated",
    "device updated": "Device Created or Updated",
    "create or update device": "Device Created or Updated",
    "delete device": "Device Deleted",
    "device removed": "Device Deleted",
    "delete relationship": "Relationship Deleted",
    "delete object": "Object Deleted",
    "group deleted": "Object Deleted",
    "delete group": "Object Deleted",
}
"""Names that people write for a reserved one, in lower case: the API takes them as ordinary events and does
nothing."""

DESTRUCTIVE_CALLS = frozenset(
    {
        "delete_user",
        "suppress_user",
        "unsuppress_user",
        "delete_device",
        "delete_relationship",
        "delete_object",
        "alias",
    }
)
"""What comes only from a rule that names it, or from a mapper whose rule allows it (docs/mapping.md,
Calls)."""


class Record(Protocol):
    """What Kafka gives, in the shape of `confluent_kafka.Message`: nothing is wrapped on the hot path."""

    def topic(self) -> str:
        """The topic's name."""
        ...

    def partition(self) -> int:
        """The partition's number."""
        ...

    def offset(self) -> int:
        """Where in the partition."""
        ...

    def key(self) -> bytes | None:
        """The key; None where it has none."""
        ...

    def value(self) -> bytes | None:
        """The value; None for a tombstone."""
        ...

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Names and values, in order; a name may come again."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Kafka's kind of timestamp (0: none), and epoch milliseconds."""
        ...


OrderKey = bytes | int
"""What a call's order hangs on: its record's key; the record's offset where it has none."""

QueuedCall = tuple[OrderKey, bytes, Record, int, bytes]
"""A call on its way: what its order hangs on, its bytes, its record, its index among the record's, its envelope.

The bytes are the call's exact UTF-8 JSON *with a comma behind*, as a batch has them: a copy of the exact size,
because the buffer that orjson answers is up to ten times as large. The envelope is that of `EncodedCall`.
"""


REASONS = {
    "EMPTY_VALUE": "The record's value has no content.",
    "INVALID_JSON": "The value is not JSON: bad syntax, bad UTF-8, NaN, half of a surrogate pair.",
    "NOT_AN_OBJECT": "The value is JSON, but not an object.",
    "TOO_DEEP": "Objects and lists nest too deep.",
    "UNMATCHED": "No rule matches, and the mapping says `unmatched: dead_letter`.",
    "EXPRESSION_FAILED": "An expression failed on this event.",
    "MAPPER_FAILED": "A Python mapper raised an exception.",
    "MAPPER_REJECTED": "A Python mapper rejected the record, without a code of its own.",
    "MAPPER_RETURNED_JUNK": "A Python mapper returned something that is neither calls nor None.",
    "TOO_MANY_CALLS": "The record would become more than 256 calls.",
    "NOT_A_CALL": "A call is not an object.",
    "UNKNOWN_TYPE": "A call's type is none of the API's six.",
    "UNKNOWN_FIELD": "A call has a field at its top level that its type does not take.",
    "MISSING_ID": "A call names nobody: an id that it needs is null, blank or not there.",
    "INVALID_ID": "An id is neither text nor, where that is allowed, a whole number.",
    "FORBIDDEN_ID": "An id is one of the texts in `reject_ids`, such as `undefined`.",
    "INEXACT_NUMBER": "A number cannot be sent exactly: an integer outside 64 bits, NaN, Infinity.",
    "INVALID_NAME": "An event's name is blank or not text.",
    "RESERVED_NAME": "An event's name is, or looks like, one that Customer.io acts on.",
    "NOT_ALLOWED": "A mapper made a destructive call that its rule does not allow.",
    "MISSING_FIELD": "A field that the call needs is null, blank or not there.",
    "INVALID_TYPE": "A field has another type than the API documents.",
    "INVALID_VALUE": "A field has a value that the API does not document.",
    "INVALID_TIMESTAMP": "A timestamp is neither RFC 3339 nor a whole number, or no such day exists.",
    "UNREADABLE_HEADERS": "A rule or mapper reads the record's headers, and a header's name is not UTF-8.",
    "INVALID_TEXT": "A call holds text that cannot be written as UTF-8.",
    "UNENCODABLE": "A call holds a value that is not JSON.",
    "CALL_TOO_LARGE": "A call is larger than `max_call_bytes`.",
    "UNEXPECTED_FAULT": "The worker itself failed with this record: a fault of ours.",
    "NO_ANSWER": "The API never answered this call while it answered others.",
    "NOT_A_BATCH": "A request body is not a batch of calls.",
    "DIFFERENT_CONTEXTS": "The calls of a batch have different contexts or integrations.",
    "DUPLICATE_MESSAGE_ID": "Two calls of a batch have the same messageId.",
}
"""Why records are rejected: every code of the worker's own, and what it means.

Mappers add codes of theirs, and the API its answers: `HTTP_400`, ...
"""


class Stage(StrEnum):
    """Where on its road a record was found undeliverable (`dlq.stage`)."""

    DECODE = "decode"
    MAP = "map"
    VALIDATE = "validate"
    DELIVER = "deliver"


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not a fault of the program
    """This record can never be delivered as it is and belongs on the dead-letter topic.

    Raised in `core` and `mapping`, caught in one place.

    Attributes:
        stage: where it was found out.
        reason: an upper-case code that people search and group by, such as `INVALID_JSON`.
        detail: a sentence for people. It names fields and limits, never a value from the record.
        call_index: which of the record's calls, counted from 0; None where it is no call's fault.
        rule: the mapping rule that made the call, as `file:line`; None where no rule was reached.
    """

    def __init__(
        self,
        stage: Stage,
        reason: str,
        detail: str,
        *,
        call_index: int | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.stage = stage
        self.reason = reason
        self.detail = detail
        self.call_index = call_index
        self.rule = rule


def unexpected(fault: Exception) -> Rejected:
    """The verdict on a record that the worker itself fails with."""
    return Rejected(
        Stage.MAP, "UNEXPECTED_FAULT", f"the worker failed with this record: {type(fault).__name__}"
    )


RejectedRecord = tuple[Record, Rejected]
"""A record that can never be delivered, and why."""

Converter = Callable[[Sequence[Record], list[QueuedCall], list[RejectedRecord]], int]
"""Turns a run of records, at least one and all of one partition of its topic, into calls.

It appends to the second argument all calls of a record or none of them, in order; to the third, in order, the records
that can never be delivered, also those that the worker itself fails with. It answers how many records were ignored,
and never raises.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration, and where.

    Attributes:
        message: what is wrong, in the configuration's own words.
        file: the file as the user named it; an environment variable's name where the value came from there.
        line: counted from 1; None where the problem is of the whole file.
        column: counted from 1.
        hint: what to do about it: a near match, an example.
        warning: True if the worker runs all the same.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    warning: bool = False

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        kind = "warning: " if self.warning else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {kind}{self.message}{hint}" if place else f"{kind}{self.message}{hint}"


class ConfigError(Exception):
    """Everything that is wrong with a configuration, at once; raised before anything starts."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
