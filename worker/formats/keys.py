"""The format of a record's key (`key_format:`), which is decoded only where a rule or mapper reads it."""

from __future__ import annotations

from typing import Any

from worker.core.reasons import Rejected
from worker.core.record_reading import NO_HEADERS, RecordHeaders
from worker.formats.encoding import JSON, WITH_SCHEMA, Encoding
from worker.formats.envelopes.unwrapped import Envelope
from worker.formats.format import Format
from worker.formats.formats import format_of
from worker.formats.json_format import JsonFormat


class JsonOrText(JsonFormat):
    """A key as people write a decoded one: JSON, or else the text itself."""

    def decode_any(self, value: bytes, headers: RecordHeaders = NO_HEADERS) -> Any:
        """See `Format.decode_any`."""
        try:
            return super().decode_any(value, headers)
        except Rejected:
            return format_of(Encoding("text", of_key=True)).decode_any(value)


def key_format(given: str | None, value_format: str, envelope: Envelope | None) -> str | None:
    """The format of a topic's keys; None for text, where a key that is not UTF-8 counts as none.

    Args:
        given: the one that the mapping names, if any.
        value_format: how values are encoded.
        envelope: what stands around each event.
    """
    if given is None and envelope is not None and envelope.json_keys and value_format == JSON:
        return JSON
    return given


def written_key(word: str | None) -> Format | None:
    """How a key that a person wrote for a dry run is decoded; None for text.

    Args:
        word: what `key_format` returns.
    """
    if word is None:
        return None
    return JsonOrText() if word in WITH_SCHEMA else format_of(Encoding(word, of_key=True))
