"""Records of random bytes, the same for the same seed: keys, values, names and values of headers, times."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
RawHeaders = list[tuple[bytes, bytes | None]]

NAMES = [
    b"traceparent",
    b"kind",
    b"dlq.stage",
    b"dlq.reason",
    b"dlq.resolved",
    b"dlq.left_out",
    b"dlq.timestamp",
] + [
    f"__connect.errors.{name}".encode()
    for name in ("topic", "partition", "offset", "stage", "exception.message")
]
"""Names of headers that something in the worker looks for."""

HEADERS = [0] * 20 + [1] * 8 + [2] * 6 + [5] * 4 + [100]
"""How many headers a record has."""

TYPES = ["happened", "mapped", "needs headers", "keyed", "other", 7, None]
TEXTS = ["", "ada", "\ud800", "null", "\x00", "é", "x" * 300, "[/nope]", "\x1b[31m"]
WEEK_MS = 7 * 24 * 3_600_000


@dataclass
class RandomRecord:
    """One record; a time of 0 lets Kafka's client take the present."""

    key: bytes | None
    value: bytes | None
    headers: RawHeaders = field(default_factory=list)
    timestamp: int = 0


class RandomRecords:
    """Makes records. Half of the values are random bytes; the others are events, some of them damaged."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def record(self) -> RandomRecord:
        """The next one."""
        key = self._one_of(None, b"", self._bytes(40), b"key", b"undefined")
        headers = [self._header() for _ in range(self._rng.choice(HEADERS))]
        return RandomRecord(key, self._value(), headers, self._time())

    def dead_letter_header(self) -> tuple[bytes, bytes | None]:
        """A header under one of the names that dead letters have, with anything in it."""
        digits = bytes(self._rng.choices(b"0123456789", k=self._rng.choice([1, 5, 30, 5000])))
        return self._rng.choice(NAMES), self._one_of(None, b"", digits, b"-" + digits, self._bytes(60))

    def _value(self) -> bytes | None:
        whole = json.dumps(self._event()).encode()
        cut = self._rng.randrange(len(whole))
        damaged = whole[:cut] + self._bytes(3) + whole[cut + 1 :]
        return self._one_of(
            self._bytes(300),
            self._bytes(20),
            b"",
            None,
            *[whole] * 8,
            whole[:cut],
            damaged,
            b"\0\0\0\0\1" + whole,
        )

    def _event(self) -> dict[str, Any]:
        event = {name: self._json(3) for name in ("a", "b") if self._rng.random() < 0.5}
        person = self._one_of(*["ada"] * 10, 7, *TEXTS, None, self._json(2))
        return event | {
            "type": self._one_of(*TYPES),
            "person": person,
            "at": self._one_of(None, None, self._json(0)),
        }

    def _json(self, levels: int) -> Any:
        numbers = [0, -1, 2**63, 10**30, 1e300, 1.5, 1_700_000_000, float("nan")]
        if levels and self._rng.random() < 0.4:
            return self._one_of([self._json(levels - 1)] * 3, {self._one_of(*TEXTS): self._json(levels - 1)})
        return self._one_of(*numbers, *TEXTS, True, None, "2026-11-21T10:00:00Z")

    def _header(self) -> tuple[bytes, bytes | None]:
        if self._rng.random() < 0.3:
            return self.dead_letter_header()
        name = self._one_of(self._bytes(20), self._bytes(5), b"person", b"n\xe4me", b"a\0b", b"")
        return name, self._one_of(None, b"", self._bytes(50), b"text")

    def _time(self) -> int:
        now = int(time.time() * 1000)
        return self._one_of(0, 0, 0, -1, -5, 1, self._rng.randrange(now), now - self._rng.randrange(WEEK_MS))

    def _bytes(self, most: int) -> bytes:
        return self._rng.randbytes(self._rng.randrange(most + 1))

    def _one_of(self, *values: T) -> T:
        return self._rng.choice(values)
