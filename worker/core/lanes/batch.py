"""What one request carries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.core.lanes.stretch import Stretch

if TYPE_CHECKING:
    from worker.core.lanes.track import Track
    from worker.core.records import OrderKey, QueuedCall, Record

_FRAME = len(b'{"batch":[]}')


@dataclass(slots=True, eq=False)
class Batch:
    """What one request carries.

    Attributes:
        envelope: what is repeated at the top level, see `model.EncodedCall`.
        why: what closed it: full, linger or drain.
        lane: the assignment and key whose calls were split among several batches, this one of them; else None.
        frees: whether it is the last of those, or the only batch with its keys: it frees their lanes when it is
            finished.
    """

    envelope: bytes
    why: str
    stretches: list[Stretch] = field(default_factory=list)
    lane: tuple[Track, OrderKey] | None = None
    frees: bool = True
    _body: bytes | None = None

    @property
    def count(self) -> int:
        """How many calls it carries."""
        return sum(len(stretch.calls) for stretch in self.stretches)

    def body(self) -> bytes:
        """The request's exact bytes, the same for every attempt."""
        if self._body is None:
            parts = [call[1] for stretch in self.stretches for call in stretch.calls]
            parts[-1] = parts[-1][:-1]
            tail = b"]," + self.envelope + b"}" if self.envelope else b"]}"
            self._body = b"".join([b'{"batch":[', *parts, tail])
        return self._body

    def calls(self) -> Iterator[tuple[Track, QueuedCall]]:
        """Each call, with the assignment that it belongs to."""
        for stretch in self.stretches:
            for call in stretch.calls:
                yield stretch.track, call

    def heads(self) -> list[Record]:
        """The first record of each stretch: the oldest one is among them."""
        return [stretch.calls[0][2] for stretch in self.stretches]

    def split(self) -> tuple[Batch, Batch]:
        """Two halves, which take its place.

        Between keys while there are several: what has a bad call's key has to wait for it, and nothing else. The calls
        of a single key must be sent one half after the other.
        """
        lanes = list(dict.fromkeys((track, call[0]) for track, call in self.calls()))
        if len(lanes) == 1:
            return self._split_lane(lanes[0])
        firsts = set(lanes[: len(lanes) // 2])
        first, second = Batch(self.envelope, self.why), Batch(self.envelope, self.why)
        for stretch in self.stretches:
            track = stretch.track
            here = [call for call in stretch.calls if (track, call[0]) in firsts]
            there = [call for call in stretch.calls if (track, call[0]) not in firsts]
            if here and there:
                ours, theirs = stretch.divide(here, there)
                first.stretches.append(ours)
                second.stretches.append(theirs)
            else:
                (first if here else second).stretches.append(stretch)
        return first, second

    def _split_lane(self, lane: tuple[Track, OrderKey]) -> tuple[Batch, Batch]:
        calls = [call for _, call in self.calls()]
        since = self.stretches[0].since
        halves = [
            Stretch(lane[0], since, half) for half in (calls[: len(calls) // 2], calls[len(calls) // 2 :])
        ]
        for stretch in self.stretches:
            stretch.finish()
        first, second = (Batch(self.envelope, self.why, [half], lane, self.frees) for half in halves)
        first.frees = False
        return first, second


class Room:
    """How much a request has room for, after an envelope and a first call have been chosen.

    Attributes:
        full: something did not fit any more.
        envelope: what the request repeats at its top level.
    """

    def __init__(self, envelope: bytes, first: QueuedCall, max_bytes: int, max_calls: int) -> None:
        self.full = False
        self.envelope = envelope
        self._calls = max_calls
        # Each call counts with a comma behind it; the last one's is not sent.
        self._bytes = max_bytes - _FRAME + 1
        repeated = len(envelope) + 1 if envelope else 0
        if len(first[1]) <= self._bytes - repeated:
            self._bytes -= repeated
        else:
            # A call that fills the body goes alone and without: its own context says the same.
            self.envelope = b""
            self._calls = 1

    def take(self, stretch: Stretch) -> int:
        """How many calls from the stretch's front fit; they have their room now."""
        if stretch.size <= self._bytes and len(stretch.calls) <= self._calls:
            self._bytes -= stretch.size
            self._calls -= len(stretch.calls)
            return len(stretch.calls)
        self.full = True
        for fitting, call in enumerate(stretch.calls):
            size = len(call[1])
            if self._calls == 0 or size > self._bytes:
                return fitting
            self._bytes -= size
            self._calls -= 1
        return len(stretch.calls)
