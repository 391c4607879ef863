"""Records of Kafka, and the calls that they become on the way to the API."""

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
"""What one record may become: the message id has eight bits for a call's index."""


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
"""Calls with equal order keys stay in order: the key of the record, or its offset if it has no key."""


QueuedCall = tuple[OrderKey, bytes, Record, int, bytes, str]
"""A call on its way to a request; `KEY`, `BODY`, ... are its places.

A bare tuple, because one is made for each call on the hot path: a dataclass costs seven times as much.
"""

KEY: Final = 0
"""What the call's order hangs on: its record's key; the record's offset where it has none."""

BODY: Final = 1
"""The call's exact UTF-8 JSON *with a comma behind*, as a batch has it. It is a copy of the exact size: the buffer that
orjson returns is up to ten times as large."""

RECORD: Final = 2
"""The record that it came from."""

INDEX: Final = 3
"""Its place among the record's calls, from 0."""

CONTEXT: Final = 4
"""Its batch context, see `EncodedCall`."""

RULE: Final = 5
"""The mapping rule that made it, as `file:line`."""


RejectedRecord = tuple[Record, Rejected]
"""A record that can never be delivered, and why."""


Converter = Callable[[Sequence[Record], list[QueuedCall], list[RejectedRecord]], int]
"""Turns a run of records, at least one and all of one partition of its topic, into calls.

It appends to the second argument all calls of a record or none of them, in order; to the third, in order, the records
that can never be delivered, also those that the worker itself fails with. It returns how many records were ignored,
and never raises but for `MappingInterrupted`, which may come from anywhere inside it.
"""


class MappingInterrupted(BaseException):
    """Ends a mapping that takes too long, see `mapping.time_limit`.

    Not an `Exception`, so that `except Exception` in a mapper does not swallow it.
    """
