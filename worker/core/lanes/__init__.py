"""Lanes: how calls wait for a request so that a key's calls never overtake each other.

The rule that everything follows from: a key always travels in the same lane, and a lane is in at most one request,
through all its retries and splits.

Each assigned partition has 64 lanes. A request takes whole free lanes until it is full, cuts the last one where it
must, and holds them until each of its calls is delivered or refused. Two more rules keep offsets safe:

- Only `take` and `finish` shorten a queue: a call forgotten is a call committed.
- The oldest unfinished offset of a lane is at its head, so nothing is kept for each finished record.
"""

from worker.core.lanes.batch import Batch
from worker.core.lanes.ready import Lanes
from worker.core.lanes.track import LANES, Lane, QueuedCall, Stretch, Track

__all__ = ["LANES", "Batch", "Lane", "Lanes", "QueuedCall", "Stretch", "Track"]
