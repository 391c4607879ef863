"""Which letter of a record is its newest: a record may have several, and counts once."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_PARTITION_SHIFT = 48
"""A letter's place is one whole number: partition, then 48 bits of offset."""

_OFFSET_MASK = (1 << _PARTITION_SHIFT) - 1


class Origins:
    """The newest letter of each record.

    A hash table with open addressing in two arrays of 64-bit numbers, at most two thirds full: 24 to 48 bytes a
    record, where a dict of Python's objects takes 200. Records are told apart by 64 bits of BLAKE2b; among a
    million the chance that any two are alike is 1 in 30 million.
    """

    def __init__(self) -> None:
        self._resize(1 << 12)

    def __len__(self) -> int:
        return self._used

    def note(self, identity: bytes, partition: int, offset: int) -> tuple[int, int] | None:
        """Take in a letter; answers the place of the one that it supersedes, or that supersedes it.

        Args:
            identity: the record's, see `DeadLetter.identity`.
            partition: of the letter.
            offset: of the letter; within a partition the higher is the newer.
        """
        if 3 * self._used >= 2 * len(self._keys):
            self._grow()
        key = int.from_bytes(blake2b(identity, digest_size=8).digest(), "big") or 1
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
        """Where a key stands, or would."""
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
