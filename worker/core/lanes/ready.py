"""All lanes of all assigned partitions, and which are ready for a request."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable

from worker.core.lanes.batch import Batch, Filling
from worker.core.lanes.track import LANES, Group, Lane, Stretch, Track
from worker.core.model import EncodedCall, Partition, Record


class Lanes:
    """All lanes of all assigned partitions, and what may go into the next request.

    Args:
        max_bytes: of a request's body, exact.
        max_calls: in a request.
        linger: seconds that a call may wait for others to share its request.
        max_in_flight: requests at the same time; a request may hold the lanes divided by this, so that one that
            hangs delays few keys.
    """

    def __init__(self, *, max_bytes: int, max_calls: int, linger: float, max_in_flight: int) -> None:
        self._max_bytes = max_bytes
        self._max_calls = max_calls
        self._linger = linger
        self._max_in_flight = max_in_flight
        self._groups: dict[bytes, Group] = {}
        self._due: list[tuple[float, int, Lane]] = []
        self._full: dict[Group, None] = {}
        self._pushed = 0
        self.tracks: dict[Partition, Track] = {}

    def assign(self, partition: Partition, upto: int, committed: int | None = None) -> Track:
        """Begin an assignment whose first record is at `upto` or later."""
        track = self.tracks[partition] = Track(partition, upto, committed)
        return track

    def withdraw(self, track: Track) -> None:
        """Take no more from a partition that another member is about to get; it still holds its commit back."""
        track.withdrawn = True
        for lane in track.lanes:
            self._leave(lane)

    def forget(self, track: Track) -> None:
        """End an assignment. What completes late touches an orphan and nothing else."""
        self.withdraw(track)
        if self.tracks.get(track.partition) is track:
            del self.tracks[track.partition]

    def add(self, track: Track, record: Record, calls: Iterable[EncodedCall], now: float) -> int:
        """Queue a record's calls in their key's lane; answers their bytes.

        Called for every record: written for speed.
        """
        key = record.key()
        # Without a key there is no order to keep: a few records go together, then the next lane's turn comes.
        lane = track.lanes[(hash(key) if key is not None else record.offset() >> 3) % LANES]
        stretch = lane.tail
        size = index = 0
        for body, envelope in calls:
            if stretch is None or stretch.envelope != envelope:
                stretch = lane.tail = Stretch(envelope, now)
                lane.queue.append(stretch)
            queued = body + b","
            stretch.calls.append((queued, record, index))
            stretch.size += len(queued)
            size += len(queued)
            index += 1
        lane.calls += index
        lane.size += size
        if lane.group is not None:
            self._weigh(lane.group, lane, index, size)
        elif not lane.in_flight:
            self._enter(lane)
        return size

    def take(self, now: float, *, draining: bool = False) -> Batch | None:
        """The next request's calls, if there is reason to send one.

        A lane is due that has lingered or fills a request alone, and so are those of its envelope that wait by then; an
        envelope's lanes are taken early if those that one request may hold fill it. When `draining`, everything is due.
        """
        lane = self._first_due()
        if lane is not None and lane.due is not None and lane.group and (draining or lane.due <= now):
            why = "full" if lane.due == -math.inf else "drain" if draining else "linger"
            group = lane.group
            if lane.queue[0].since + self._linger <= now:
                group.left_at = now
            batch = self._fill(group, lane, why)
            self._let_others_leave(group)
            return batch
        for group in list(self._full):
            if self._fills_a_request(group):
                return self._fill(group, next(iter(group.lanes)), "full")
            del self._full[group]
        return None

    def next_due(self) -> float | None:
        """When `take` will have something at the latest; None if nothing waits."""
        lane = self._first_due()
        return None if lane is None else lane.due

    def finish(self, batch: Batch) -> None:
        """Each call in `batch` is delivered or refused, or its partition is not ours: free the lanes."""
        for lane, count in batch.lanes:
            lane.in_flight -= count
            if lane.in_flight:
                continue
            lane.flying = None
            if lane.queue and not lane.track.withdrawn:
                self._enter(lane)

    def without_withdrawn(self, batch: Batch) -> Batch:
        """`batch` without the calls of partitions that are not ours any more.

        Those lanes stay in flight: what was not finished holds their partition's last commit back.
        """
        if not any(lane.track.withdrawn for lane, _ in batch.lanes):
            return batch
        kept = Batch(batch.envelope, batch.why)
        for lane, calls in batch.by_lane():
            if not lane.track.withdrawn:
                kept.lanes.append((lane, len(calls)))
                kept.calls += calls
        return kept

    def is_idle(self) -> bool:
        """Whether nothing is queued or in flight."""
        return not any(lane.queue or lane.in_flight for track in self.tracks.values() for lane in track.lanes)

    @property
    def share(self) -> int:
        """How many lanes one request may hold."""
        return max(1, math.ceil(len(self.tracks) * LANES / self._max_in_flight))

    def _first_due(self) -> Lane | None:
        while self._due:
            due, _, lane = self._due[0]
            if lane.due == due:
                return lane
            heapq.heappop(self._due)
        return None

    def _enter(self, lane: Lane) -> None:
        """A lane is free and has calls: it is ready, in the group of its head's envelope."""
        head = lane.queue[0]
        group = self._groups.get(head.envelope)
        if group is None:
            group = self._groups[head.envelope] = Group(head.envelope)
        group.lanes[lane] = None
        lane.group = group
        self._push(lane, head.since + self._linger)
        self._weigh(group, lane, lane.calls, lane.size)

    def _weigh(self, group: Group, lane: Lane, calls: int, size: int) -> None:
        group.calls += calls
        group.size += size
        if group.size < self._max_bytes and group.calls < self._max_calls:
            return
        self._full[group] = None
        if (lane.size >= self._max_bytes or lane.calls >= self._max_calls) and lane.due != -math.inf:
            self._push(lane, -math.inf)

    def _let_others_leave(self, group: Group) -> None:
        """Who waited when a lane had lingered goes as well, in further requests.

        A request takes the oldest lanes first: the younger ones would be left to linger to the end, each time.
        """
        lane = next(iter(group.lanes), None)
        if lane is not None and lane.due is not None and lane.queue[0].since <= group.left_at < lane.due:
            self._push(lane, group.left_at)

    def _push(self, lane: Lane, due: float) -> None:
        lane.due = due
        self._pushed += 1
        heapq.heappush(self._due, (due, self._pushed, lane))

    def _leave(self, lane: Lane) -> None:
        """A ready lane goes into a request, or is withdrawn."""
        group = lane.group
        if group is None:
            return
        lane.due = lane.group = None
        group.calls -= lane.calls
        group.size -= lane.size
        del group.lanes[lane]
        if not group.lanes:
            del self._groups[group.envelope]
            self._full.pop(group, None)

    def _fills_a_request(self, group: Group) -> bool:
        calls = size = 0
        for lane, _ in zip(group.lanes, range(self.share), strict=False):
            calls += lane.calls
            size += lane.size
            if calls >= self._max_calls or size >= self._max_bytes:
                return True
        return False

    def _fill(self, group: Group, first: Lane, why: str) -> Batch:
        lanes = [first]
        for lane in group.lanes:
            if len(lanes) >= self.share:
                break
            if lane is not first:
                lanes.append(lane)
        filling = Filling(
            Batch(group.envelope, why), first.queue[0].calls[0], self._max_bytes, self._max_calls
        )
        for lane in lanes:
            self._leave(lane)
            filling.take_from(lane)
            if lane.queue and not lane.in_flight:  # it was full before this lane's first call
                self._enter(lane)
            if filling.full:
                filling.batch.why = "full"
                break
        return filling.batch
