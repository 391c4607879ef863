"""Which topics the group subscribes to."""

from __future__ import annotations

import re
from collections.abc import Iterable


def is_subscribed(topic: str, subscriptions: Iterable[str]) -> bool:
    """Whether a topic is one of these names, or matches one of the patterns `^...$`. Kafka's own match no pattern."""
    return any(
        not topic.startswith("__") and re.match(f"(?:{each})$", topic) is not None
        if each.startswith("^")
        else each == topic
        for each in subscriptions
    )
