"""Batches: the calls of one request, and how many fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.core.lanes.chunk import Chunk
from worker.core.records import BODY, KEY, RECORD

if TYPE_CHECKING:
    from worker.core.lanes.partition_state import PartitionState
    from worker.core.records import OrderKey, QueuedCall, Record

_FRAME = len(b'{"batch":[]}')


@dataclass(slots=True, eq=False)
class Batch:
    """The calls of one request.

    Attributes:
        context: the batch context that is repeated at the top level, see `records.EncodedCall`; empty for none.
        why: why it was closed: `full`, `linger` or `drain`.
        chunks: its calls.
        lane: the assignment and key whose calls were split among several batches, this one of them; else None.
        frees: whether finishing it frees the lanes of its keys: True unless later parts of a split lane follow.
    """

    context: bytes
    why: str
    chunks: list[Chunk] = field(default_factory=list)
    lane: tuple[PartitionState, OrderKey] | None = None
    frees: bool = True
    _body: bytes | None = None

    @property
    def count(self) -> int:
        """How many calls it carries."""
        return sum(len(chunk.calls) for chunk in self.chunks)

    def body(self) -> bytes:
        """The request's body in the form of `/v1/batch`; the same bytes for every attempt."""
        if self._body is None:
            parts = [call[BODY] for chunk in self.chunks for call in chunk.calls]
            parts[-1] = parts[-1][:-1]  # without the comma of the last call
            tail = b"]," + self.context + b"}" if self.context else b"]}"
            self._body = b"".join([b'{"batch":[', *parts, tail])
        return self._body

    def calls(self) -> Iterator[tuple[PartitionState, QueuedCall]]:
        """Each call, with the assignment that it belongs to."""
        for chunk in self.chunks:
            for call in chunk.calls:
                yield chunk.state, call

    def heads(self) -> list[Record]:
        """The first record of each chunk: the oldest one is among them."""
        return [chunk.calls[0][RECORD] for chunk in self.chunks]

    def split(self) -> tuple[Batch, Batch]:
        """Two halves, which take its place.

        It is divided between keys while there are several, so that only the calls which share a key with a bad call
        wait for it. The calls of a single key must be sent one half after the other.
        """
        lanes = list(dict.fromkeys((state, call[KEY]) for state, call in self.calls()))
        if len(lanes) == 1:
            return self._split_lane(lanes[0])
        in_first = set(lanes[: len(lanes) // 2])
        first, second = Batch(self.context, self.why), Batch(self.context, self.why)
        for chunk in self.chunks:
            state = chunk.state
            here = [call for call in chunk.calls if (state, call[KEY]) in in_first]
            there = [call for call in chunk.calls if (state, call[KEY]) not in in_first]
            if here and there:
                ours, theirs = chunk.divide(here, there)
                first.chunks.append(ours)
                second.chunks.append(theirs)
            else:
                (first if here else second).chunks.append(chunk)
        return first, second

    def _split_lane(self, lane: tuple[PartitionState, OrderKey]) -> tuple[Batch, Batch]:
        calls = [call for _, call in self.calls()]
        since = self.chunks[0].since
        halves = [
            Chunk(lane[0], since, half) for half in (calls[: len(calls) // 2], calls[len(calls) // 2 :])
        ]
        for chunk in self.chunks:
            chunk.finish()
        first, second = (Batch(self.context, self.why, [half], lane, self.frees) for half in halves)
        first.frees = False
        return first, second


class BatchCapacity:
    """How much more a request can hold, after a batch context and a first call have been chosen.

    Attributes:
        full: whether a call did not fit.
        context: what the request repeats at its top level.
    """

    def __init__(self, context: bytes, first: QueuedCall, max_bytes: int, max_calls: int) -> None:
        self.full = False
        self.context = context
        self._calls = max_calls
        # Each call's size includes its comma. The comma of the last call is not sent, hence one byte more.
        self._bytes = max_bytes - _FRAME + 1
        repeated = len(context) + 1 if context else 0
        if len(first[BODY]) <= self._bytes - repeated:
            self._bytes -= repeated
        else:
            # A call so large that the context does not fit beside it is sent alone, with only its own context.
            self.context = b""
            self._calls = 1

    def take(self, chunk: Chunk) -> int:
        """Reserve capacity for as many calls from the chunk's front as fit; returns how many."""
        if chunk.size <= self._bytes and len(chunk.calls) <= self._calls:
            self._bytes -= chunk.size
            self._calls -= len(chunk.calls)
            return len(chunk.calls)
        self.full = True
        for fitting, call in enumerate(chunk.calls):
            size = len(call[BODY])
            if self._calls == 0 or size > self._bytes:
                return fitting
            self._bytes -= size
            self._calls -= 1
        return len(chunk.calls)
