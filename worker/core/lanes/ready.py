"""The lanes of all keys: what may go into the next request, and what waits behind one."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from worker.core.lanes.batch import Batch, Room
from worker.core.lanes.queue import STRETCH_SECONDS, Queue
from worker.core.lanes.stretch import Stretch
from worker.core.lanes.track import Track, Waiting
from worker.core.records import OrderKey, Partition, QueuedCall

MOST_STALE = 1000
"""So many more entries of when queues are due are kept than queues, before those out of date are thrown out."""

_envelope = itemgetter(4)


class Lanes:
    """The lane of each key that has unfinished calls, and what may go into the next request.

    Args:
        max_bytes: of a request's body, exact.
        max_calls: in a request.
        linger: seconds that a call may wait for others to share its request.
        max_in_flight: requests at the same time.

    Attributes:
        tracks: the assignments.
        queues: those that hold calls, by their envelope.
    """

    def __init__(self, *, max_bytes: int, max_calls: int, linger: float, max_in_flight: int) -> None:
        self._max_bytes = max_bytes
        self._max_calls = max_calls
        self._linger = linger
        self._max_in_flight = max_in_flight
        self._due: list[tuple[float, int, Queue]] = []
        self._pushed = 0
        self.tracks: dict[Partition, Track] = {}
        self.queues: dict[bytes, Queue] = {}

    # Assignments

    def assign(self, partition: Partition, upto: int, committed: int | None = None) -> Track:
        """Begin an assignment whose first record is at `upto` or later."""
        track = self.tracks[partition] = Track(partition, upto, committed)
        return track

    def withdraw(self, track: Track) -> None:
        """Take no more from a partition that another member is about to get; it still holds its commit back."""
        if track.withdrawn:
            return
        track.abandon()
        for envelope in dict.fromkeys(track.lanes.values()):
            if envelope is not None:
                queue = self._queue(envelope)
                queue.reset(stretch for stretch in queue.stretches if stretch.track is not track)
                self._set_due(queue)

    def forget(self, track: Track) -> None:
        """End an assignment. What completes late touches an orphan and nothing else."""
        self.withdraw(track)
        if self.tracks.get(track.partition) is track:
            del self.tracks[track.partition]

    # In

    def add(self, track: Track, calls: list[QueuedCall], now: float) -> int:
        """Queue calls of one partition, in the order of their records; answers their bytes."""
        if len({call[4] for call in calls}) == 1:
            return self._add_alike(track, calls, now)
        return sum(self._add_alike(track, list(alike), now) for _, alike in groupby(calls, _envelope))

    def _add_alike(self, track: Track, calls: list[QueuedCall], now: float) -> int:
        """Queue calls that share an envelope, but for those whose lane stands elsewhere. Written for speed."""
        envelope = calls[0][4]
        queue = self._queue(envelope)
        behind, place = track.behind, track.lanes.setdefault
        queued = [call for call in calls if place(call[0], envelope) == envelope and call[0] not in behind]
        waited = 0
        if len(queued) < len(calls):
            for call in calls:
                if place(call[0], envelope) != envelope or call[0] in behind:
                    track.wait(call, now)
                    waited += len(call[1])
        size = queue.append(track, queued, now) if queued else 0
        self._set_due(queue)
        return size + waited

    # Out

    def take(self, now: float, *, draining: bool = False) -> Batch | None:
        """The next request's calls, if there is reason to send one.

        There is if a queue fills a request, or if its oldest call has lingered. When `draining`, everything is due.
        """
        queue = self._first_due()
        if queue is None or queue.due is None or (queue.due > now and not draining):
            return None
        why = "full" if self._is_full(queue) else "linger" if queue.due <= now else "drain"
        batch = self._fill(queue, why)
        for stretch in batch.stretches:
            stretch.track.lanes.update(dict.fromkeys([call[0] for call in stretch.calls]))
        if queue.stretches:
            self._hold_back(queue)
        self._set_due(queue)
        return batch

    def next_due(self) -> float | None:
        """When `take` will have something at the latest; None if nothing waits."""
        queue = self._first_due()
        return None if queue is None else queue.due

    def finish(self, batch: Batch) -> None:
        """Each call in `batch` is delivered or refused, or its partition is not ours: free the lanes of its keys."""
        for stretch in batch.stretches:
            stretch.finish()
        if not batch.frees:
            return
        freed: dict[Track, list[OrderKey]] = {}
        for stretch in batch.stretches:
            freed.setdefault(stretch.track, []).extend([call[0] for call in stretch.calls])
        for track, calls in freed.items():
            keys = dict.fromkeys(calls)
            for key in keys:
                del track.lanes[key]
            if free := [key for key in keys if key in track.behind]:
                self._go_on(track, free)

    def without_withdrawn(self, batch: Batch) -> Batch:
        """`batch` without the calls of partitions that are not ours any more.

        They stay unfinished: that holds their partition's last commit back.
        """
        kept = [stretch for stretch in batch.stretches if not stretch.track.withdrawn]
        if len(kept) == len(batch.stretches):
            return batch
        return Batch(batch.envelope, batch.why, kept, batch.lane, frees=batch.frees)

    def is_idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return all(track.unfinished.oldest() is None for track in self.tracks.values())

    def _queue(self, envelope: bytes) -> Queue:
        queue = self.queues.get(envelope)
        if queue is None:
            queue = self.queues[envelope] = Queue(envelope)
        return queue

    def _fill(self, queue: Queue, why: str) -> Batch:
        """As many calls from a queue's head as a request may carry.

        Where several requests' worth is queued, a request takes all that is queued for some keys, rather than something
        of every key: what it left would have to wait behind it, and the other requests would have nothing to carry.
        """
        shares, calls = self._shares(queue)
        if shares > 1:
            queue.prefer(shares, shares * calls)
        room = Room(queue.envelope, queue.stretches[0].calls[0], self._max_bytes, self._max_calls)
        batch = Batch(room.envelope, why)
        while queue.stretches and not room.full:
            if fitting := room.take(queue.stretches[0]):
                batch.stretches.append(queue.pop(fitting))
        if room.full:
            batch.why = "full"
        return batch

    def _shares(self, queue: Queue) -> tuple[int, int]:
        """Among how many requests, of how many calls, to share out a queue's keys; 1 where keys are enough for all."""
        requests = max(1, queue.calls // self._max_calls, queue.size // self._max_bytes)
        calls = queue.calls // requests
        keys = sum(len(track.lanes) for track in self.tracks.values())
        enough = keys >= 2 * self._max_in_flight * calls
        return 1 if enough else min(requests, self._max_in_flight), calls

    def _hold_back(self, queue: Queue) -> None:
        """What is still queued, but has a key that is in a request now, goes behind it."""
        held: dict[tuple[Track, OrderKey], list[Waiting]] = {}
        kept = []
        for stretch in queue.stretches:
            track, lanes = stretch.track, stretch.track.lanes
            stay = [call for call in stretch.calls if lanes[call[0]] is not None]
            if len(stay) < len(stretch.calls):
                for call in stretch.calls:
                    if lanes[call[0]] is None:
                        held.setdefault((track, call[0]), []).append((stretch.since, call))
                stretch.keep(stay)
            if stay:
                kept.append(stretch)
        queue.reset(kept)
        for (track, key), calls in held.items():
            track.step_back(key, calls)

    def _go_on(self, track: Track, keys: Sequence[OrderKey]) -> None:
        """What waited behind finished calls is queued: of each key up to the next envelope, and not much at a time."""
        # Most of what is more than fills a request would only have to step back again.
        most = max(1, 2 * self._max_calls // len(keys))
        free: dict[tuple[Queue, int], list[Waiting]] = {}
        for key in keys:
            waiting = track.behind.pop(key)
            envelope = track.lanes[key] = waiting[0][1][4]
            queue = self._queue(envelope)
            going = _alike(waiting, most)
            for each in waiting[:going]:  # calls of about the same age travel together
                free.setdefault((queue, int(each[0] / STRETCH_SECONDS)), []).append(each)
            if going < len(waiting):
                track.behind[key] = waiting[going:]
        for (queue, _), going_on in free.items():
            since = min(since for since, _ in going_on)
            queue.enter(Stretch(track, since, sorted([call for _, call in going_on], key=_place)))
            self._set_due(queue)

    # Due

    def _is_full(self, queue: Queue) -> bool:
        return queue.size >= self._max_bytes or queue.calls >= self._max_calls

    def _set_due(self, queue: Queue) -> None:
        """A queue is due when its oldest call has lingered, or at once if it fills a request: the older ones first."""
        if not queue.stretches:
            queue.due = None
            self.queues.pop(queue.envelope, None)
            return
        since = queue.stretches[0].since
        due = since if self._is_full(queue) else since + self._linger
        if due != queue.due:
            queue.due = due
            self._pushed += 1
            heapq.heappush(self._due, (due, self._pushed, queue))
            if len(self._due) > MOST_STALE + 2 * len(self.queues):
                self._due = [entry for entry in self._due if entry[2].due == entry[0]]
                heapq.heapify(self._due)

    def _first_due(self) -> Queue | None:
        while self._due:
            due, _, queue = self._due[0]
            if queue.due == due:
                return queue
            heapq.heappop(self._due)
        return None


def _place(call: QueuedCall) -> tuple[int, int]:
    return call[2].offset(), call[3]


def _alike(waiting: list[Waiting], most: int) -> int:
    """How many from the first on, but no more than `most`, share its envelope."""
    envelope = waiting[0][1][4]
    for at, (_, call) in enumerate(waiting[:most]):
        if call[4] != envelope:
            return at
    return min(len(waiting), most)
