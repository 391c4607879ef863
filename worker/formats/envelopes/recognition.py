"""Which envelope the records of a topic have, told from samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from worker.core.record_reading import RecordHeaders
from worker.formats.envelopes.cloudevents import CONTENT_TYPE, PREFIX, REQUIRED, STRUCTURED, media_type
from worker.formats.envelopes.debezium import OPERATIONS, is_message
from worker.formats.envelopes.envelopes import NONE


@dataclass(frozen=True, slots=True)
class Recognised:
    """An envelope, and how many samples have it.

    Attributes:
        word: one of `ENVELOPES`.
        having: the samples that have it.
        samples: all that were looked at; tombstones, and records of a connector itself, tell nothing and do not count.
    """

    word: str
    having: int
    samples: int

    @property
    def is_certain(self) -> bool:
        """Whether no sample contradicts it."""
        return self.having == self.samples > 0


def recognised(samples: Iterable[tuple[Any, RecordHeaders]]) -> Recognised:
    """The envelope that most records have.

    Args:
        samples: decoded values, None for a tombstone, and headers.
    """
    words = Counter(word for value, headers in samples if (word := envelope_word(value, headers)) is not None)
    if not words:
        return Recognised(NONE, 0, 0)
    word, having = words.most_common(1)[0]
    return Recognised(word, having, words.total())


def envelope_word(value: Any, headers: RecordHeaders) -> str | None:
    """The envelope of one record; None for one that does not tell."""
    if _is_cloud_event(value, headers):
        return "cloudevents"
    if type(value) is not dict:
        return None if value is None else NONE
    is_wrapped = value.keys() == {"schema", "payload"}
    inner = value["payload"] if is_wrapped or value.keys() == {"payload"} else value
    if inner is None:
        return None
    if type(inner) is dict and _is_change(inner):
        return "debezium"
    if type(inner) is dict and is_message(inner):
        return None
    return "connect" if is_wrapped else NONE


def _is_cloud_event(value: Any, headers: RecordHeaders) -> bool:
    named = dict(headers)
    content_type = (named.get(CONTENT_TYPE) or b"").decode(errors="replace")
    if media_type(content_type) == STRUCTURED or f"{PREFIX}specversion" in named:
        return True
    return type(value) is dict and all(isinstance(value.get(name), str) for name in REQUIRED)


def _is_change(value: dict[str, Any]) -> bool:
    """Whether a value is a change event: an operation, and a row or a source beside it."""
    is_operation = isinstance(value.get("op"), str) and value["op"] in {*OPERATIONS, "m"}
    return is_operation and not value.keys().isdisjoint({"before", "after", "source"})
