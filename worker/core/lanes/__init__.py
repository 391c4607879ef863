"""Lanes: how calls wait for a request so that a key's calls never overtake each other.

Each key is a lane of its own, for as long as it has unfinished calls. Everything follows from one rule: a lane is in
one place at a time, in the queue of one batch context or in one request, through all its retries and splits. Newer
calls of its key are blocked behind it. A request takes calls from the head of a queue until it is full, whatever
their keys.

What keeps offsets safe: each call belongs to one chunk, in a queue, in a request or behind a lane, and each chunk
holds the commit back at its first record until its calls are delivered or refused.
"""

from worker.core.lanes.batch import Batch
from worker.core.lanes.lanes import Lanes
from worker.core.lanes.partition_state import PartitionState

__all__ = ["Batch", "Lanes", "PartitionState"]
