"""The metadata that the worker stores with each committed offset."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class CommitNote:
    """The metadata of one partition's commits.

    Attributes:
        topic_id: the id of the topic that the offset belongs to. A recreated topic has another id, and the offset is
            meaningless there. None if it is not known.
        latest_at: epoch milliseconds of the group's first start with `start_from: latest`; None for any other.
    """

    topic_id: str | None = None
    latest_at: int | None = None

    def text(self) -> str:
        """As the broker stores it."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


def parse_note(text: str | None) -> CommitNote:
    """Parse a commit's metadata; other programs in the group may have written anything there."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return CommitNote()
    if not isinstance(found, dict):
        return CommitNote()
    topic_id, latest_at = found.get("topic_id"), found.get("latest_at")
    return CommitNote(
        topic_id if isinstance(topic_id, str) else None,
        latest_at if type(latest_at) is int and latest_at >= 0 else None,
    )
