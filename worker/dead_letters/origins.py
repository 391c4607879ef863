"""Which dead letter of a source record is its newest. A record may have several: only the newest waits."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_PARTITION_SHIFT = 48
"""A position is packed into one integer of 64 bits: 16 bits of partition, then 48 bits of offset."""

_OFFSET_MASK = (1 << _PARTITION_SHIFT) - 1


class Origins:
    """The position of the newest dead letter of each source record.

    A hash table with open addressing in two arrays of 64-bit integers, at most two thirds full: 24 to 48 bytes for each
    record, where a dict of Python objects takes 200. Keys are 64-bit BLAKE2b hashes: among a million records the
    probability of any collision is 1 in 30 million.
    """

    def __init__(self) -> None:
        self._resize(1 << 12)  # 64 kB; doubled as it fills

    def __len__(self) -> int:
        return self._used

    def add(self, identity: bytes, partition: int, offset: int) -> tuple[int, int] | None:
        """Add a dead letter.

        Args:
            identity: of its source record, see `DeadLetter.identity`.
            partition: of the dead letter.
            offset: of the dead letter; within a partition the higher offset is the newer one.

        Returns:
            The position of the older of this dead letter and the newest one added before for the same record: it is
            superseded. None if this is the first one of its record.
        """
        if 3 * self._used >= 2 * len(self._keys):
            self._grow()
        key = int.from_bytes(blake2b(identity, digest_size=8).digest(), "big") or 1  # 0 marks a free slot
        place = partition << _PARTITION_SHIFT | offset
        slot = self._slot(key)
        if not self._keys[slot]:
            self._keys[slot], self._places[slot] = key, place
            self._used += 1
            return None
        older, newer = sorted((self._places[slot], place))
        self._places[slot] = newer
        return older >> _PARTITION_SHIFT, older & _OFFSET_MASK

    def _slot(self, key: int) -> int:
        """The slot that holds a key, or the free slot where it belongs."""
        slot = key & self._mask
        while self._keys[slot] not in {0, key}:
            slot = slot + 1 & self._mask
        return slot

    def _grow(self) -> None:
        keys, places = self._keys, self._places
        self._resize(2 * len(keys))
        for key, place in zip(keys, places, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._places[slot] = key, place
                self._used += 1

    def _resize(self, slots: int) -> None:
        self._keys, self._places = array("Q", [0]) * slots, array("Q", [0]) * slots
        self._mask = slots - 1
        self._used = 0
