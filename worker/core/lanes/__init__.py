"""Lanes: how calls wait for a request so that a key's calls never overtake each other.

Each key is a lane of its own, for as long as it has unfinished calls. The rule that everything follows from: a lane
stands in one place at a time, in the queue of one envelope or in one request, through all its retries and splits; what
else comes for it waits behind it. A request takes calls from the head of a queue until it is full, whoever's they are.

What keeps offsets safe: each call belongs to one stretch, in a queue, in a request or behind a lane, and each stretch
holds the commit back at its first record until its calls are delivered or refused.
"""

from worker.core.lanes.batch import Batch
from worker.core.lanes.ready import Lanes
from worker.core.lanes.track import Track

__all__ = ["Batch", "Lanes", "Track"]
