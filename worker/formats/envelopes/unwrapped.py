"""The interface of an envelope, and what it makes of a decoded value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from worker.core.reasons import Rejected, Stage
from worker.core.record_reading import RecordHeaders

TYPES: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
"""A JSON value's type in words."""


@dataclass(slots=True)
class Unwrapped:
    """An event without its envelope.

    Attributes:
        event: what the rules see as the event; empty where the envelope holds none.
        about: what the envelope says of it: `_change` or `_ce`; None for an envelope that says nothing.
        tombstone: whether the envelope holds a null, which counts as a record without a value.
        ignored: the word for a record that is not for the rules: `snapshot` or `message`; None for all others.
    """

    event: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] | None = None
    tombstone: bool = False
    ignored: str | None = None


class Envelope(Protocol):
    """A way to wrap events.

    Attributes:
        root: the name by which expressions read what it says of an event; None if it says nothing.
        fields: the names in that, for hints; more may occur.
        json_keys: whether the record's key is JSON where the value is, and may be wrapped too.
        tombstones_on_request: whether tombstones reach only those rules that ask for them.
        defaults: expressions for the fields of a call that neither the rule nor the file gives.
        expected: what a value in this envelope is, for the detail of a rejection.
    """

    root: str | None
    fields: tuple[str, ...]
    json_keys: bool
    tombstones_on_request: bool
    defaults: Mapping[str, str]
    expected: str

    def check(self, headers: RecordHeaders) -> None:
        """Refuse what the headers alone show to be wrong, before the value is decoded.

        Raises:
            Rejected: `INVALID_ENVELOPE`.
        """

    def unwrap(
        self, value: dict[str, Any], headers: RecordHeaders, columns: Collection[str] | None = None
    ) -> Unwrapped:
        """Take the envelope off a decoded value.

        Args:
            value: the record's value, as its format decodes it.
            headers: of the record.
            columns: the event's fields that are compared with a schema beside it, if there is one; None for all.

        Raises:
            Rejected: `INVALID_ENVELOPE`, with what was expected.
        """

    def of_tombstone(self, headers: RecordHeaders) -> Unwrapped:
        """What a record without a value is.

        Raises:
            Rejected: `INVALID_ENVELOPE`.
        """

    def key(self, key: Any) -> Any:
        """Take the envelope off a decoded key."""


def refuse(detail: str) -> NoReturn:
    """Reject a record whose envelope is not as it must be.

    Args:
        detail: what was found and what was expected, without values of the record.

    Raises:
        Rejected: `INVALID_ENVELOPE`, always.
    """
    raise Rejected(Stage.DECODE, "INVALID_ENVELOPE", detail)
