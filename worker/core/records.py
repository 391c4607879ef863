"""Kafka records, and the calls that are made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from worker.core.reasons import Rejected

Partition = tuple[str, int]
"""A topic's name and a partition's number."""


EncodedCall = tuple[bytes, bytes]
"""A call as it is sent, and its batch context.

The body is the call's exact UTF-8 JSON. The batch context is what calls of one request must share: `b""` for a call
that has neither `context` nor `integrations`; else the canonical JSON (sorted keys) of the two, written as the members
that a request repeats at its top level: `"context":{...},"integrations":{...}`.
"""

MAX_CALLS_PER_RECORD = 256
"""The largest number of calls from one record: the message id has eight bits for a call's index."""


class Record(Protocol):
    """A Kafka record, with the methods of `confluent_kafka.Message`, so that the hot path wraps no message."""

    def topic(self) -> str:
        """The topic's name."""
        ...

    def partition(self) -> int:
        """The partition's number."""
        ...

    def offset(self) -> int:
        """The offset in the partition."""
        ...

    def key(self) -> bytes | None:
        """The key; None where it has none."""
        ...

    def value(self) -> bytes | None:
        """The value; None for a tombstone."""
        ...

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Names and values, in order; names may repeat."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """The type of the timestamp (0: none; 1: set by the producer; 2: by the broker), and epoch milliseconds."""
        ...


OrderKey = bytes | int
"""A record's key, or its offset if it has no key: calls of a partition with the same order key are sent in order."""


QueuedCall = tuple[OrderKey, bytes, Record, int, bytes, str]
"""A call that waits for a request or is in one; `KEY`, `BODY`, ... are the indexes of its fields.

A bare tuple, because one is made for each call on the hot path: a dataclass costs seven times as much.
"""

KEY: Final = 0
"""The call's `OrderKey`."""

BODY: Final = 1
"""The call's exact UTF-8 JSON *followed by a comma*, so that a batch's body is a plain join. It is a copy: the buffer
that orjson returns is up to ten times as large as its content."""

RECORD: Final = 2
"""The record that it came from."""

INDEX: Final = 3
"""The position among the record's calls, from 0."""

CONTEXT: Final = 4
"""Its batch context, see `EncodedCall`."""

RULE: Final = 5
"""The mapping rule that made it, as `file:line`."""


def position(call: QueuedCall) -> tuple[int, int]:
    """What calls of one partition are ordered by: the offset of the record, and the index."""
    return call[RECORD].offset(), call[INDEX]


RejectedRecord = tuple[Record, Rejected]
"""A record that can never be delivered, and why."""


Converter = Callable[[Sequence[Record], list[QueuedCall], list[RejectedRecord]], int]
"""Turns a run of records, at least one and all of one partition of its topic, into calls.

It appends to the second argument all calls of a record or none of them, in order; to the third, in order, the records
that can never be delivered, including those on which the worker itself failed. It returns the number of records that
were ignored. It raises nothing except `MappingInterrupted`, which may be raised at any point inside it.
"""


class MappingInterrupted(BaseException):
    """Ends a mapping that takes too long, see `mapping.time_limit`.

    Not an `Exception`, so that `except Exception` in a mapper does not swallow it.
    """
