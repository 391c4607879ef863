"""The id that a call carries, made from where its record lies: retries, restarts and replays repeat it.

An id is a ULID, 26 characters of Crockford's base 32: Customer.io passes the `messageId` on to its Track API,
which de-duplicates by "a valid ULID". Nothing in it is random.

=========  ====  ==========================================================
characters bits  what
=========  ====  ==========================================================
1 to 10     48   the record's timestamp, epoch milliseconds
11 to 16    30   SHA-256 of cluster id, topic, partition, type, event name
17 to 26    50   the record's offset (42 bits), the call's index (8 bits)
=========  ====  ==========================================================

Within a partition two calls differ in offset or index, so their ids differ; the hash keeps partitions apart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256

from worker.core.model import MAX_CALLS_PER_RECORD

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U."""

_PAIR = [high + low for high in ALPHABET for low in ALPHABET]
_MAX_CACHED = 10_000
_MAX_TIME = (1 << 48) - 1
_MAX_OFFSET = (1 << 42) - 1


class MessageIds:
    """Makes the ids of a cluster's records.

    Args:
        cluster_id: Kafka's own id of the cluster, so that two clusters with equal topics do not share ids.
    """

    __slots__ = ("_cluster_id", "_hashes", "_offset", "_offset_text", "_time", "_time_text")

    def __init__(self, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._hashes: dict[tuple[str, int, str, str], str] = {}
        self._time = self._offset = -1
        self._time_text = self._offset_text = ""

    def for_record(  # noqa: PLR0913, PLR0917 - called for each call: keywords cost
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
            record_timestamp_ms: the record's, in epoch milliseconds; one below 0 (Kafka's "none" is -1)
                counts as 0.
            topic: where the record lies.
            partition: where in the topic.
            offset: where in the partition; its low 42 bits count.
            type_: the call's type, such as `track`.
            name: the event name of a `track`; else "".
            index: which of the record's calls, from 0 to 255.

        Raises:
            ValueError: the index is 256 or more, or negative.
        """
        if not 0 <= index < MAX_CALLS_PER_RECORD:
            raise ValueError(f"index must be from 0 to {MAX_CALLS_PER_RECORD - 1}")
        time = record_timestamp_ms if record_timestamp_ms > 0 else 0  # noqa: FURB136 - max() is a call
        # The high 38 bits of the time change about once a second.
        if time >> 10 != self._time:
            self._time, self._time_text = time >> 10, _ten(time & _MAX_TIME)[:8]
        # The high 30 bits of offset and index change once in 4,096 offsets.
        if offset >> 12 != self._offset:
            self._offset, self._offset_text = offset >> 12, _ten((offset & _MAX_OFFSET) << 8)[:6]
        source = (topic, partition, type_, name)
        low = (offset & 0xFFF) << 8 | index
        hashed = self._hashes.get(source) or self._hash(source)
        return (
            f"{self._time_text}{_PAIR[time & 1023]}{hashed}"
            f"{self._offset_text}{_PAIR[low >> 10]}{_PAIR[low & 1023]}"
        )

    def for_records(self, topic: str, type_: str, name: str, index: int) -> Callable[[int, int, int], str]:
        """`for_record` for a call that is the same for every record but for timestamp, partition and offset.

        What does not change is worked out once, which halves the cost of an id: made for generated code.

        Raises:
            ValueError: as `for_record`.
        """
        self.for_record(0, topic, 0, 0, type_, name, index)
        ends = _ends(index)
        # Of the latest id: the high bits of its time and offset, its partition, and the text for each.
        time_high: int | None = None
        offset_high = of_partition = -1
        time_text = source_text = ""

        def for_record(record_timestamp_ms: int, partition: int, offset: int) -> str:
            nonlocal time_high, time_text, offset_high, of_partition, source_text
            if record_timestamp_ms >> 10 != time_high:
                if record_timestamp_ms < 0:
                    return for_record(0, partition, offset)
                time_high = record_timestamp_ms >> 10
                time_text = _ten(record_timestamp_ms & _MAX_TIME)[:8]
            if offset >> 12 != offset_high or partition != of_partition:
                source = (topic, partition, type_, name)
                hashed = self._hashes.get(source) or self._hash(source)
                offset_high, of_partition = offset >> 12, partition
                source_text = f"{hashed}{_ten((offset & _MAX_OFFSET) << 8)[:6]}"
            return f"{time_text}{_PAIR[record_timestamp_ms & 1023]}{source_text}{ends[offset & 0xFFF]}"

        return for_record

    def _hash(self, source: tuple[str, int, str, str]) -> str:
        """Six characters for a topic, partition, type and name.

        Few are kept: an event name may come from the data.
        """
        digest = _digest(self._cluster_id, *source)
        bits = int.from_bytes(digest[:4], "big") >> 2
        if len(self._hashes) >= _MAX_CACHED:
            self._hashes.clear()
        text = self._hashes[source] = _PAIR[bits >> 20] + _PAIR[bits >> 10 & 1023] + _PAIR[bits & 1023]
        return text

    @staticmethod
    def for_event(event_id: str, type_: str, name: str, index: int) -> str:
        """The id of a call whose mapping names the event's own unique id.

        It holds no timestamp and no coordinates: a domain event that was produced twice is one event at
        Customer.io. All 128 bits come from SHA-256.

        Raises:
            ValueError: as `for_record`.
        """
        if not 0 <= index < MAX_CALLS_PER_RECORD:
            raise ValueError(f"index must be from 0 to {MAX_CALLS_PER_RECORD - 1}")
        bits = int.from_bytes(_digest(event_id, type_, name, index)[:16], "big")
        return (
            _ten(bits >> 80) + _PAIR[bits >> 70 & 1023] + _PAIR[bits >> 60 & 1023] + _PAIR[bits >> 50 & 1023]
        ) + _ten(bits & (1 << 50) - 1)


@cache
def _ends(index: int) -> list[str]:
    """The last four characters of an id, by the low 12 bits of the record's offset."""
    return [_PAIR[low >> 2] + _PAIR[(low & 3) << 8 | index] for low in range(0x1000)]


def _ten(bits: int) -> str:
    """Ten characters for 50 bits."""
    return (
        f"{_PAIR[bits >> 40]}{_PAIR[bits >> 30 & 1023]}{_PAIR[bits >> 20 & 1023]}"
        f"{_PAIR[bits >> 10 & 1023]}{_PAIR[bits & 1023]}"
    )


def _digest(*parts: str | int) -> bytes:
    """SHA-256 of the parts, each behind its length, so that no two lists of parts are hashed alike."""
    texts = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    return sha256(b"".join(b"%d:%b" % (len(text), text) for text in texts)).digest()
