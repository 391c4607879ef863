"""Sets of offsets, as bit arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from worker.dead_letters.headers import Range


class OffsetSet:
    """A set of offsets from `first` to below `end`. It takes one bit for each: 125 kB for a million.

    Offsets outside those bounds are ignored: retention has deleted them, or they were written after the scan began.
    """

    def __init__(self, first: int, end: int) -> None:
        self._first = first
        self._end = max(first, end)
        self._bits = bytearray((self._end - self._first + 7) // 8)

    def add(self, first: int, last: int | None = None) -> None:
        """Add one offset, or all from `first` to `last`."""
        self._set(first, first if last is None else last, 0xFF)

    def remove(self, first: int, last: int | None = None) -> None:
        """Remove one offset, or all from `first` to `last`."""
        self._set(first, first if last is None else last, 0)

    def _set(self, first: int, last: int, byte: int) -> None:
        begin = max(first, self._first) - self._first
        end = min(last, self._end - 1) - self._first + 1
        # Single bits up to the first and down from the last byte boundary, then whole bytes in one assignment: a mark
        # may cover a million offsets.
        while begin < end and begin % 8:
            self._set_bit(begin, byte)
            begin += 1
        while begin < end and end % 8:
            end -= 1
            self._set_bit(end, byte)
        if begin < end:
            self._bits[begin >> 3 : end >> 3] = bytes([byte]) * ((end - begin) >> 3)

    def _set_bit(self, at: int, byte: int) -> None:
        mask = 1 << (at & 7)
        self._bits[at >> 3] = self._bits[at >> 3] & ~mask | byte & mask

    def __contains__(self, offset: int) -> bool:
        at = offset - self._first
        return 0 <= at < self._end - self._first and bool(self._bits[at >> 3] & 1 << (at & 7))

    def __sub__(self, other: OffsetSet) -> OffsetSet:
        """The offsets that are not in `other`, which must have the same bounds."""
        return self._combined(self._integer() & ~other._integer())

    def __and__(self, other: OffsetSet) -> OffsetSet:
        """The offsets that are also in `other`, which must have the same bounds."""
        return self._combined(self._integer() & other._integer())

    def _integer(self) -> int:
        return int.from_bytes(self._bits, "little")

    def _combined(self, bits: int) -> OffsetSet:
        found = OffsetSet(self._first, self._end)
        found._bits[:] = bits.to_bytes(len(self._bits), "little")
        return found

    def __len__(self) -> int:
        return self._integer().bit_count()

    def __iter__(self) -> Iterator[int]:
        return (offset for offset in range(self._first, self._end) if offset in self)


def ranges(offsets: Iterable[int]) -> Iterator[Range]:
    """Combine ascending offsets into ranges: 1, 2, 3, 5 becomes (1, 3), (5, 5)."""
    first = last = None
    for offset in offsets:
        if first is None or last is None:
            first = last = offset
        elif offset == last + 1:
            last = offset
        else:
            yield first, last
            first = last = offset
    if first is not None and last is not None:
        yield first, last
