"""How many records fit into what is left of a memory limit, by the size of recent records."""

from __future__ import annotations

import math

FIRST_RECORD_BYTES = 1_048_588
"""The size assumed before any record was seen: the largest that topics take by default (`message.max.bytes` of
Kafka's brokers)."""

HALF_LIFE_RECORDS = 5_000
"""After this many smaller records the difference to larger ones before them counts half: about 20 full slices of the
intake. Records of one kind often come in runs, and an estimate that is too large costs only smaller fetches."""


class RecordSizes:
    """An estimate of what one record takes, with its calls.

    Larger records count at once and are forgotten slowly, because only an estimate that is too small exceeds the limit.

    Attributes:
        estimate: bytes.
        is_known: whether any record was seen.
    """

    __slots__ = ("estimate", "is_known")

    def __init__(self) -> None:
        self.estimate: float = FIRST_RECORD_BYTES
        self.is_known = False

    def seen(self, records: int, size: int) -> None:
        """These `records` took `size` bytes together."""
        mean = size / records
        if self.is_known and mean < self.estimate:
            mean += (self.estimate - mean) * 0.5 ** (records / HALF_LIFE_RECORDS)
        self.estimate = mean
        self.is_known = True

    def expected(self, records: int, value_bytes: int) -> int:
        """The bytes that records will take once they are mapped: their calls are about as large as their values."""
        known = int(records * self.estimate) if self.is_known else 0
        return max(2 * value_bytes, known)

    def fitting(self, room: int) -> int:
        """How many further records may be fetched into `room` bytes: as many as fit, and one that fills it up.

        0 if there is no room; otherwise at least 1, or a record larger than the limit would never be read.
        """
        return 0 if room <= 0 else math.ceil(room / max(1.0, self.estimate))
