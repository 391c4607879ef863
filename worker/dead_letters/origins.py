"""Which dead letter of a source record is its newest. A record may have several: only the newest counts."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import NamedTuple

_PARTITION_SHIFT = 48
"""A position is packed into one integer of 64 bits: 16 bits of partition, then 48 bits of offset."""

_OFFSET_MASK = (1 << _PARTITION_SHIFT) - 1

_MAX_SECONDS = 2**32 - 1
"""The largest time that fits into 32 bits, in the year 2106."""


class Place(NamedTuple):
    """Where a dead letter is in the topic, and when it was written.

    Attributes:
        partition, offset: of the dead-letter topic.
        seconds: its Kafka timestamp, whole epoch seconds of at most 32 bits.
    """

    partition: int
    offset: int
    seconds: int = 0

    def is_newer_than(self, other: Place) -> bool:
        """Whether it was written after the other one.

        Within a partition the higher offset is the newer one. Dead letters of one record are in different partitions
        only if the record has no key and the topic has fewer partitions than its source, or was given more.
        """
        if self.partition == other.partition:
            return self.offset > other.offset
        return (self.seconds, self.partition) > (other.seconds, other.partition)


class Origins:
    """The place of the newest dead letter of each source record.

    A hash table with open addressing in three arrays of integers, at most two thirds full: 30 to 60 bytes for each
    record, where a dict of Python objects takes 200. Keys are 64-bit BLAKE2b hashes: among a million records the
    probability of any collision is 1 in 30 million.
    """

    def __init__(self) -> None:
        self._resize(1 << 12)  # 80 kB; doubled as it fills

    def __len__(self) -> int:
        return self._used

    def add(self, identity: bytes, place: Place) -> tuple[Place, Place] | None:
        """Add a dead letter.

        Args:
            identity: of its source record, see `DeadLetter.identity`.
            place: of the dead letter.

        Returns:
            The older and the newer one of this dead letter and the newest one added before for the same record. None
            if this is the first one of its record.
        """
        if 3 * self._used >= 2 * len(self._keys):
            self._grow()
        key = int.from_bytes(blake2b(identity, digest_size=8).digest(), "big") or 1  # 0 marks a free slot
        slot = self._slot(key)
        if not self._keys[slot]:
            self._keys[slot] = key
            self._used += 1
            self._put(slot, place)
            return None
        before = self._place(slot)
        if not place.is_newer_than(before):
            return place, before
        self._put(slot, place)
        return before, place

    def _put(self, slot: int, place: Place) -> None:
        self._places[slot] = place.partition << _PARTITION_SHIFT | place.offset
        self._seconds[slot] = min(max(place.seconds, 0), _MAX_SECONDS)

    def _place(self, slot: int) -> Place:
        packed = self._places[slot]
        return Place(packed >> _PARTITION_SHIFT, packed & _OFFSET_MASK, self._seconds[slot])

    def _slot(self, key: int) -> int:
        """The slot that holds a key, or the free slot where it belongs."""
        slot = key & self._mask
        while self._keys[slot] not in {0, key}:
            slot = slot + 1 & self._mask
        return slot

    def _grow(self) -> None:
        keys, places, seconds = self._keys, self._places, self._seconds
        self._resize(2 * len(keys))
        for key, place, second in zip(keys, places, seconds, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._places[slot], self._seconds[slot] = key, place, second
                self._used += 1

    def _resize(self, slots: int) -> None:
        self._keys, self._places = array("Q", [0]) * slots, array("Q", [0]) * slots
        self._seconds = array("I", [0]) * slots
        self._mask = slots - 1
        self._used = 0
