"""The `messageId` of a call, computed from its record's coordinates: every retry, restart and replay reuses it.

An id is a ULID, 26 characters in Crockford's base 32, because Customer.io passes the `messageId` on to its Track API,
which de-duplicates by "a valid ULID". No part of it is random.

=========  ====  ==========================================================
characters bits  what
=========  ====  ==========================================================
1 to 10     48   the record's timestamp, epoch milliseconds
11 to 16    30   SHA-256 of cluster id, topic, partition, type, event name
17 to 26    50   the record's offset (42 bits), the call's index (8 bits)
=========  ====  ==========================================================

Two calls of a partition differ in offset or index, so their ids differ; the hash distinguishes partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import sha256

from worker.core.records import MAX_CALLS_PER_RECORD

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U."""

ID_CHARS = 26

_VALUES = {character: value for value, character in enumerate(ALPHABET)}

_MAX_FIRST = 7

PAIRS = [high + low for high in ALPHABET for low in ALPHABET]
"""Two characters for each value of ten bits. Looking up pairs takes half as many steps as single characters."""

_MAX_CACHED = 10_000
"""Hashes kept: enough for a hundred event names in a hundred partitions. The cache takes a few megabytes."""

_MAX_CACHED_CHARS = 256
"""Hashes of longer event names are not kept: 10,000 of those could take hundreds of megabytes."""

_MAX_NAMED = 100
"""Calls whose characters are kept for each partition, beside the hashes: about 20 kB for names of usual length."""

_MAX_TIME = (1 << 48) - 1
"""The time in a ULID has 48 bits, enough until the year 10889."""

_MAX_OFFSET = (1 << 42) - 1
"""An id has room for 42 bits of the offset: 4.4 trillion records of a partition before ids could repeat."""

Source = tuple[str, int, str, str]
"""The input of the hash in an id, apart from the cluster: topic, partition, type, event name."""


class MessageIds:
    """Computes message ids for the records of a cluster.

    Args:
        cluster_id: Kafka's id of the cluster, so that equal topics of two clusters do not share ids.
    """

    __slots__ = ("_cluster_id", "_hashes", "_offset", "_time")

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._hashes: dict[Source, str] = {}
        # Parts of the last id, cached. Each is one tuple, replaced atomically, because a replay uses several threads.
        self._time: tuple[int, str] | None = None
        self._offset: tuple[int, str] | None = None

    def for_record(  # noqa: PLR0913, PLR0917 - on the hot path keyword arguments cost time
        self,
        record_timestamp_ms: int,
        topic: str,
        partition: int,
        offset: int,
        type_: str,
        name: str,
        index: int,
    ) -> str:
        """The id of one call of one record.

        Args:
            record_timestamp_ms: the record's timestamp, epoch milliseconds; below 0 (Kafka's -1 for none) counts as 0.
            topic: the record's topic.
            partition: the record's partition.
            offset: the record's offset; only its low 42 bits are used.
            type_: the call's type, such as `track`.
            name: the event name of a `track`; otherwise empty.
            index: the position of the call among those of the record, from 0 to 255.

        Raises:
            ValueError: the index is 256 or more, or negative.
        """
        if not 0 <= index < MAX_CALLS_PER_RECORD:
            raise ValueError(f"index must be from 0 to {MAX_CALLS_PER_RECORD - 1}")
        time = record_timestamp_ms if record_timestamp_ms > 0 else 0  # noqa: FURB136 - max() is a call
        # The high 38 bits of the time change about once a second, so their characters are reused.
        begin = self._time
        if begin is None or begin[0] != time >> 10:
            begin = self._time = time >> 10, _ten(time & _MAX_TIME)[:8]
        # The high 30 bits of offset and index change once in 4,096 offsets, so these are reused too.
        middle = self._offset
        if middle is None or middle[0] != offset >> 12:
            middle = self._offset = offset >> 12, _ten((offset & _MAX_OFFSET) << 8)[:6]
        source = (topic, partition, type_, name)
        low = (offset & 0xFFF) << 8 | index
        hashed = self._hashes.get(source) or self._hash(source)
        return f"{begin[1]}{PAIRS[time & 1023]}{hashed}{middle[1]}{PAIRS[low >> 10]}{PAIRS[low & 1023]}"

    def middle(self, source: Source, offset: int) -> str:
        """Characters 11 to 22 of an id, which change once in 4,096 offsets of a partition."""
        hashed = self._hashes.get(source) or self._hash(source)
        return f"{hashed}{_ten((offset & _MAX_OFFSET) << 8)[:6]}"

    def _hash(self, source: Source) -> str:
        """Six characters for a topic, partition, type and name.

        The cache is bounded in number and in length of names, because an event name may come from the data.
        """
        digest = _digest(self._cluster_id, *source)
        bits = int.from_bytes(digest[:4], "big") >> 2
        text = PAIRS[bits >> 20] + PAIRS[bits >> 10 & 1023] + PAIRS[bits & 1023]
        if len(source[3]) <= _MAX_CACHED_CHARS:
            if len(self._hashes) >= _MAX_CACHED:
                self._hashes.clear()
            self._hashes[source] = text
        return text

    @staticmethod
    def for_event(event_id: str, type_: str, name: str, index: int) -> str:
        """The id of a call whose mapping names the event's own unique id (`messageId:`).

        It depends on no timestamp or coordinates, so an event that was produced twice is one event at Customer.io. All
        128 bits come from SHA-256.

        Raises:
            ValueError: as `for_record`.
        """
        return MessageIds.for_event_bytes(event_id.encode("utf-8", "surrogatepass"), type_, name, index)

    @staticmethod
    def for_event_bytes(text: bytes, type_: str, name: str, index: int) -> str:
        """As `for_event`, for an id in UTF-8."""
        if not 0 <= index < MAX_CALLS_PER_RECORD:
            raise ValueError(f"index must be from 0 to {MAX_CALLS_PER_RECORD - 1}")
        hashed = sha256(b"%d:%b%b" % (len(text), text, _call_of_event(type_, name, index)))
        bits = int.from_bytes(hashed.digest()[:16], "big")
        return (
            _ten(bits >> 80) + PAIRS[bits >> 70 & 1023] + PAIRS[bits >> 60 & 1023] + PAIRS[bits >> 50 & 1023]
        ) + _ten(bits & (1 << 50) - 1)


def coordinates_in(message_id: str) -> tuple[int, int, int] | None:
    """Timestamp in epoch milliseconds, offset (its low 42 bits) and index that an id was computed from.

    An id of `for_event` yields numbers too, but meaningless ones: check them against the record. None if the text is no
    id that the worker makes.
    """
    values = [_VALUES.get(character, -1) for character in message_id.upper()]
    # A ULID's first character is at most 7: 26 characters have 130 bits, an id 128.
    if len(values) != ID_CHARS or min(values) < 0 or values[0] > _MAX_FIRST:
        return None
    bits = 0
    for value in values:
        bits = bits << 5 | value
    low = bits & (1 << 50) - 1
    return bits >> 80, low >> 8, low & 0xFF


class Middles:
    """Characters 11 to 22 of the ids of a topic's calls, for generated code, which composes ids itself.

    An id is `beginning(millis) + PAIRS[millis & 1023] + middle + ends(index)[offset & 4095]`, with `millis` at least 0.
    The first part changes with `millis >> 10`, the third with the partition and `offset >> 12`, so both can be reused
    for many records.

    Args:
        ids: of the cluster that the topic is in.
        topic: the topic's name.
        calls: the type and the event name (empty if it has none) of each call that is known before.
    """

    def __init__(self, ids: MessageIds, topic: str, calls: Sequence[tuple[str, str]]) -> None:
        self._ids = ids
        self._topic = topic
        self._calls = calls
        self._latest: dict[int, tuple[int, list[str], NamedMiddles]] = {}

    def of(self, partition: int, offset: int) -> tuple[list[str], NamedMiddles]:
        """The characters for a record at this position: one text for each of the calls, and those of any other call."""
        known = self._latest.get(partition)
        if known is None or known[0] != offset >> 12:
            named = NamedMiddles(self._ids, self._topic, partition, offset)
            known = self._latest[partition] = offset >> 12, [named[call] for call in self._calls], named
        return known[1:]


class NamedMiddles(dict[tuple[str, str], str]):
    """Characters 11 to 22 of ids, by type and event name, for 4,096 offsets of a partition.

    Args:
        ids: of the cluster.
        topic: the records' topic.
        partition: their partition.
        offset: one of the offsets.
    """

    def __init__(self, ids: MessageIds, topic: str, partition: int, offset: int) -> None:
        super().__init__()
        self._ids, self._topic, self._partition, self._offset = ids, topic, partition, offset

    def __missing__(self, call: tuple[str, str]) -> str:
        middle = self._ids.middle((self._topic, self._partition, *call), self._offset)
        # Names may come from the data, so only a few short ones are kept: all partitions have such a dictionary.
        if len(call[1]) <= _MAX_CACHED_CHARS:
            if len(self) >= _MAX_NAMED:
                self.clear()
            self[call] = middle
        return middle


def beginning(millis: int) -> str:
    """The first eight characters of an id, for epoch milliseconds of at least 0."""
    return _ten(millis & _MAX_TIME)[:8]


@cache
def ends(index: int) -> list[str]:
    """The last four characters of an id, for each value of the low 12 bits of the record's offset.

    Raises:
        ValueError: as `MessageIds.for_record`.
    """
    if not 0 <= index < MAX_CALLS_PER_RECORD:
        raise ValueError(f"index must be from 0 to {MAX_CALLS_PER_RECORD - 1}")
    return [PAIRS[low >> 2] + PAIRS[(low & 3) << 8 | index] for low in range(0x1000)]


def _ten(bits: int) -> str:
    """Ten characters for 50 bits."""
    return (
        f"{PAIRS[bits >> 40]}{PAIRS[bits >> 30 & 1023]}{PAIRS[bits >> 20 & 1023]}"
        f"{PAIRS[bits >> 10 & 1023]}{PAIRS[bits & 1023]}"
    )


def _digest(*parts: str | int) -> bytes:
    """SHA-256 of the parts."""
    return sha256(_joined(*parts)).digest()


def _joined(*parts: str | int) -> bytes:
    """The parts, each prefixed with its length, so that different lists never have the same bytes."""
    texts = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%b" % (len(text), text) for text in texts)


def _call_of_event(type_: str, name: str, index: int) -> bytes:
    """What is hashed with an event's own id. Names may come from data, so long ones are not kept."""
    return _kept(type_, name, index) if len(name) <= _MAX_CACHED_CHARS else _joined(type_, name, index)


_kept = lru_cache(_MAX_CACHED)(_joined)
