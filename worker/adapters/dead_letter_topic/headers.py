"""The headers of a dead letter: where it came from, and why it could not be delivered.

Names as Kafka Connect's dead-letter queues have them (`__connect.errors.*`), for the tools that read those, and the
worker's own (`dlq.*`). They hold no value of the record, nor anybody's id.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple

from worker.core.reasons import Stage
from worker.core.record_reading import UNREADABLE, read_headers, record_millis
from worker.core.timestamps import from_millis
from worker.dead_letters.letter import own_headers
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.core.records import Record
    from worker.pipeline.ports import DeadLetter

Headers = list[tuple[str, str | bytes | None]]

OPTIONAL = frozenset(
    {
        "__connect.errors.stage",
        "__connect.errors.exception.class.name",
        "__connect.errors.exception.message",
        "dlq.errors",
        "dlq.rule",
    }
)
"""What a letter that is too large is written without: words for people. What a replay and filters need stays."""

LEFT_OUT = "dlq.left_out"
"""The header that names what a letter was written without."""

_CONNECT_STAGES = {
    Stage.DECODE: "VALUE_CONVERTER",
    Stage.MAP: "TRANSFORMATION",
    Stage.VALIDATE: "TRANSFORMATION",
    Stage.DELIVER: "TASK_PUT",
}
"""Kafka Connect's own words for where on the road a record failed."""


class LetterHeaders(NamedTuple):
    """A letter's headers.

    Attributes:
        own: the record's, as they came.
        ours: what this module says of it.
    """

    own: Headers
    ours: Headers

    def needed(self) -> Headers:
        """Ours without what only people read."""
        return [header for header in self.ours if header[0] not in OPTIONAL]


def headers_of(letter: DeadLetter, cluster_id: str, *, replaying: bool) -> LetterHeaders:
    """All headers of a letter.

    Args:
        letter: what failed, and why.
        cluster_id: where the record was read.
        replaying: whether the record is itself a dead letter that failed again: then it keeps its first origin,
            and `dlq.replays` goes up by one.
    """
    came = read_headers(letter.record)
    # A live record keeps Kafka Connect's: it may come from the dead letters of a connector.
    live = [header for header in came if not header[0].startswith("dlq.")]
    own: Headers = [*(own_headers(came) if replaying else live)]
    ours = {**_why(letter), **_origin(letter.record, cluster_id), "dlq.replays": "0"}
    if replaying:
        earlier = {name: value.decode(errors="replace") for name, value in came if value is not None}
        ours |= {name: earlier[name] for name in _ORIGIN if name in earlier}
        ours["dlq.replays"] = str(_count(earlier.get("dlq.replays", "")) + 1)
    if came is UNREADABLE or (replaying and "headers" in earlier.get(LEFT_OUT, "").split()):
        ours[LEFT_OUT] = "headers"
    return LetterHeaders(own, [(name, _encoded(value)) for name, value in ours.items()])


def as_before(record: Record) -> Headers:
    """The headers of a letter that failed again, with nothing new but the count: it fits where it came from."""
    came = read_headers(record)
    replays = _count((dict(came).get("dlq.replays") or b"").decode(errors="replace"))
    return [
        *((name, value) for name, value in came if name != "dlq.replays"),
        ("dlq.replays", str(replays + 1).encode()),
    ]


def digest(value: bytes | None) -> Headers:
    """What stands for a value that is left out: its size and its hash."""
    value = value or b""
    return [
        ("dlq.value_bytes", str(len(value)).encode()),
        ("dlq.value_sha256", hashlib.sha256(value).hexdigest().encode()),
    ]


def left_out() -> Headers:
    """What says that the record's own key and headers had to be left out, too."""
    return [(LEFT_OUT, b"key headers value")]


_ORIGIN = (
    "__connect.errors.topic",
    "__connect.errors.partition",
    "__connect.errors.offset",
    "dlq.timestamp",
    "dlq.cluster_id",
)


def _origin(record: Record, cluster_id: str) -> dict[str, str]:
    millis = record_millis(record)
    time = -1 if millis is None else millis
    places = (record.topic(), record.partition(), record.offset(), time, cluster_id)
    return {name: str(place) for name, place in zip(_ORIGIN, places, strict=True)}


def _encoded(text: str) -> bytes:
    """As UTF-8, also what is not: the name of a file or of an exception's type may hold half a surrogate pair."""
    return text.encode("utf-8", "backslashreplace")


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _why(letter: DeadLetter) -> dict[str, str]:
    return dict(_facts(letter))


def _facts(letter: DeadLetter) -> Iterator[tuple[str, str]]:
    yield "__connect.errors.stage", _CONNECT_STAGES[letter.stage]
    yield "__connect.errors.exception.class.name", "worker.core.model.Rejected"
    yield "__connect.errors.exception.message", f"{letter.reason}: {letter.detail}"
    yield "dlq.stage", letter.stage.value
    yield "dlq.reason", letter.reason
    if letter.status is not None:
        yield "dlq.status", str(letter.status)
    if letter.errors:
        yield "dlq.errors", json.dumps(letter.errors, ensure_ascii=False)
    if letter.call_index is not None:
        yield "dlq.call_index", str(letter.call_index)
    if letter.rule is not None:
        yield "dlq.rule", letter.rule
    yield "dlq.attempts", str(letter.attempts)
    yield "dlq.failed_at", from_millis(int(letter.failed_at * 1000))
    yield "dlq.worker_version", __version__
