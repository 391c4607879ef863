"""Records that wait for a schema, and those behind them with the same key.

All other records are mapped meanwhile: those of other topics, and those of the same partition with other keys.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from worker.core.records import Record

if TYPE_CHECKING:
    from worker.core.lanes import PartitionState
    from worker.core.records import OrderKey
    from worker.formats.schemas import SchemaId
    from worker.pipeline.schema_fetching import SchemaFetcher

_Lane = tuple["PartitionState", "OrderKey"]
"""The records of one order key in one assignment: they are mapped in order."""


class WaitingRecords:
    """The records that were fetched and cannot be mapped yet.

    Args:
        fetcher: fetches the schemas.
    """

    def __init__(self, fetcher: SchemaFetcher) -> None:
        self._fetcher = fetcher
        self._lanes: dict[_Lane, list[Record]] = {}
        self._by_id: dict[SchemaId, set[_Lane]] = {}

    def mappable(self, state: PartitionState, records: Sequence[Record]) -> Sequence[Record]:
        """Those of a partition's next records that can be mapped now; the others are kept here.

        The caller holds the commit back at what is kept, until `resumed` returned it and it was mapped.
        """
        needed = self._fetcher.needed(state.partition[0])
        if needed is None:
            return records
        missing = needed.missing(records)
        if not missing and not self._lanes:
            return records
        ready = []
        for index, record in enumerate(records):
            lane = state, _order_key(record)
            if index in missing:
                self._keep(lane, record, missing[index])
            elif lane in self._lanes and self._lanes[lane][0].offset() < record.offset():
                self._keep(lane, record, ())
            else:
                ready.append(record)
        return ready

    def resumed(self) -> Iterator[tuple[PartitionState, list[Record]]]:
        """The records that wait for nothing more, of one assignment at a time, in order."""
        self._drop_revoked()
        lanes = {lane for id_ in self._fetcher.take_arrived() for lane in self._by_id.pop(id_, ())}
        found = [(lane[0], record) for lane in lanes if lane in self._lanes for record in self._resume(lane)]
        found.sort(key=lambda each: (each[0].partition, each[1].offset()))
        for state, group in groupby(found, itemgetter(0)):
            yield state, [record for _, record in group]

    def clear(self) -> None:
        """Drop all records. They still hold the commit back, so they are fetched again by the next owner."""
        self._lanes.clear()
        self._by_id.clear()
        self._fetcher.keep(())

    def _keep(self, lane: _Lane, record: Record, missing: Iterable[SchemaId]) -> None:
        insort(self._lanes.setdefault(lane, []), record, key=_offset)
        self._wait(lane, missing)

    def _wait(self, lane: _Lane, missing: Iterable[SchemaId]) -> None:
        for id_ in missing:
            self._by_id.setdefault(id_, set()).add(lane)
        self._fetcher.want(missing)

    def _resume(self, lane: _Lane) -> list[Record]:
        """Take those records of a lane out that can be mapped: all before the first that still waits."""
        records = self._lanes.pop(lane)
        needed = self._fetcher.needed(lane[0].partition[0])
        missing = {} if needed is None else needed.missing(records)
        first = min(missing, default=len(records))
        if first < len(records):
            self._lanes[lane] = records[first:]
            self._wait(lane, missing[first])
        return records[:first]

    def _drop_revoked(self) -> None:
        """Drop the records of partitions that were revoked: their next owner fetches them."""
        gone = [lane for lane in self._lanes if lane[0].revoked]
        if gone:
            for lane in gone:
                del self._lanes[lane]
            self._by_id = {
                id_: left for id_, lanes in self._by_id.items() if (left := lanes & self._lanes.keys())
            }
            self._fetcher.keep(self._by_id)


def _order_key(record: Record) -> OrderKey:
    key = record.key()
    return record.offset() if key is None else key


def _offset(record: Record) -> int:
    return record.offset()
