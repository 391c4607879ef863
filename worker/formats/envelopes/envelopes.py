"""Every envelope by the word that mapping files use for it (`envelope:`)."""

from __future__ import annotations

from collections.abc import Callable

from worker.formats.envelopes.cloudevents import CloudEvents
from worker.formats.envelopes.connect import Connect
from worker.formats.envelopes.debezium import Debezium
from worker.formats.envelopes.unwrapped import Envelope

NONE = "none"

_MADE: dict[str, Callable[[], Envelope]] = {
    "debezium": Debezium,
    "cloudevents": CloudEvents,
    "connect": Connect,
}

ENVELOPES = (NONE, *_MADE)
"""The words."""


BY_ROOT = {str(CloudEvents.root): "cloudevents", str(Debezium.root): "debezium"}
"""The envelopes by the names under which expressions read them."""


def envelope_of(word: str, *, send_snapshots: bool = False, of_json: bool = True) -> Envelope | None:
    """The envelope that a word stands for; None for `none`.

    Args:
        word: one of `ENVELOPES`.
        send_snapshots: `snapshot: send`, of `debezium` only.
        of_json: whether values are JSON, which the content type of `cloudevents` must then say.
    """
    if word == "cloudevents":
        return CloudEvents(of_json=of_json)
    if word == "debezium":
        return Debezium(send_snapshots=send_snapshots)
    return None if word == NONE else _MADE[word]()
