"""Refuses bytes that must not reach the decoder: those that nest too deep, or have more items than bytes.

Few schemas need this: only a recursive type can nest deeper than its schema does, and only items without bytes (`null`)
can be more than the bytes. fastavro would overflow the stack for the one and fill the memory for the other.
"""

from __future__ import annotations

from worker.core.reasons import Rejected, Stage
from worker.formats.avro.types import AvroType
from worker.formats.json_values import MAX_DEPTH

MAX_EMPTY_ITEMS = 1_000_000
"""The most items without bytes in one value (this program's own limit): a list of so many takes 8 MB."""

_SIZES = {"float": 4, "double": 8}
_CONTAINERS = frozenset({"record", "array", "map"})
_VARINTS = frozenset({"int", "long", "enum"})


def needs_walk(type_: AvroType) -> bool:
    """Whether values of a type may nest deeper than `MAX_DEPTH`, or have items without bytes."""
    return _deepest(type_, {}) > MAX_DEPTH or any(
        each.kind == "array" and _is_empty(each.inner[0], set()) for each in every_type(type_)
    )


def every_type(type_: AvroType) -> list[AvroType]:
    """A type and all of its parts, each once."""
    found: dict[int, AvroType] = {}
    waiting = [type_]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting.extend(each.parts())
    return list(found.values())


def _deepest(type_: AvroType, known: dict[int, int | None]) -> int:
    """How deep objects and lists of a type nest; more than `MAX_DEPTH` for a recursive one."""
    depth = known.get(id(type_), -1)
    if depth is None:
        return MAX_DEPTH + 1
    if depth >= 0:
        return depth
    known[id(type_)] = None
    inner = max((_deepest(each, known) for each in type_.parts()), default=0)
    found = min(inner + (type_.kind in _CONTAINERS), MAX_DEPTH + 1)
    known[id(type_)] = found
    return found


def _is_empty(type_: AvroType, seen: set[int]) -> bool:
    """Whether values of a type may have no bytes."""
    if id(type_) in seen:
        return True
    if type_.kind == "record":
        return all(_is_empty(each, seen | {id(type_)}) for each in type_.parts())
    return type_.kind == "null" or (type_.kind == "fixed" and not type_.size)


class Walk:
    """One walk over one value.

    Args:
        data: the bytes.
        at: where they begin.
    """

    __slots__ = ("_at", "_data", "_empty")

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._empty = 0

    def check(self, type_: AvroType, depth: int = 0) -> None:  # noqa: C901 - one case for each kind of type
        """Walk over a value of a type.

        Args:
            type_: the type.
            depth: of the objects and lists around it.

        Raises:
            Rejected: `TOO_DEEP`, or `INVALID_AVRO` for too many items.
            IndexError: the bytes are not a value of the type.
        """
        kind = type_.kind
        if kind in _CONTAINERS:
            depth += 1
            if depth > MAX_DEPTH:
                raise Rejected(
                    Stage.DECODE, "TOO_DEEP", f"Objects and lists nest deeper than {MAX_DEPTH} levels."
                )
        if kind in _VARINTS:
            self._long()
        elif kind == "record":
            for _, each in type_.fields:
                self.check(each, depth)
        elif kind == "union":
            branch = self._long()
            if not 0 <= branch < len(type_.inner):
                raise IndexError
            self.check(type_.inner[branch], depth)
        elif kind in {"array", "map"}:
            self._items(type_, depth)
        elif kind in {"string", "bytes"}:
            self._skip(self._long())
        elif kind != "null":
            self._skip(type_.size if kind == "fixed" else _SIZES.get(kind, 1))

    def _items(self, type_: AvroType, depth: int) -> None:
        while count := self._long():
            if count < 0:  # the block's size in bytes follows
                count = -count
                self._long()
            for _ in range(count):
                began = self._at
                if type_.kind == "map":
                    self._skip(self._long())
                self.check(type_.inner[0], depth)
                if self._at == began:
                    self._count_empty()

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > MAX_EMPTY_ITEMS:
            detail = f"Lists have more than {MAX_EMPTY_ITEMS:,} items without bytes."
            raise Rejected(Stage.DECODE, "INVALID_AVRO", detail)

    def _skip(self, size: int) -> None:
        if not 0 <= size <= len(self._data) - self._at:
            raise IndexError
        self._at += size

    def _long(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 127) << shift
            if byte < 128:
                return (number >> 1) ^ -(number & 1)
            shift += 7
            if shift > 63:
                raise IndexError
