"""Remarks about accepted calls whose effect depends on their age. They never reject a call.

The API answers 200 to all of these calls. Sources:

- Events with a timestamp in the past 72 hours can trigger campaigns (Track API reference, `eventsRequest.timestamp`).
- Anonymous events are merged into a person who is identified within 30 days, and can trigger campaigns if that happens
  within 72 hours of their timestamp (Track API reference, `POST /api/v1/events`).
- The timestamp of an attribute update controls the order of updates (Track API reference, `identify_person.timestamp`);
  one that is older than the latest edit of the profile changes nothing (posthog/posthog#55330).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from worker.customerio.semantic import call_name

CAMPAIGN_SECONDS = 72 * 3600.0
"""Events up to this age can start campaigns."""

ANONYMOUS_SECONDS = 30 * 86_400.0
"""Anonymous events are kept for so long, waiting for their person to be identified."""

PROFILE_CALLS = frozenset({"identify", "group"})
"""Calls that update attributes, which Customer.io orders by timestamp."""

_EVENTS = frozenset({"track", "page", "screen"})


class Remark(StrEnum):
    """What happens, or does not happen, at Customer.io."""

    MAY_START_CAMPAIGNS = "younger than 72 hours: may start campaigns and send mail now"
    STARTS_NO_CAMPAIGN = "older than 72 hours: starts no campaign"
    MAY_BE_IGNORED = "older than a later record of the same key, or than --stale-after: may be ignored"
    NOT_MERGED = "anonymous and older than 30 days: not merged into a person"


def remarks(call: Mapping[str, Any], now: float, *, superseded: bool = False) -> list[Remark]:
    """The remarks about one valid call.

    Args:
        call: the call in the API's format. Without a `timestamp` it gets the time of its arrival.
        now: when it arrives, epoch seconds.
        superseded: whether the profile that it updates has probably seen a later update.
    """
    name = call_name(call)
    if name in PROFILE_CALLS:
        return [Remark.MAY_BE_IGNORED] if superseded and "timestamp" in call else []
    if name not in _EVENTS:
        return []
    age = now - call_time(call, now)
    found = [Remark.MAY_START_CAMPAIGNS if age <= CAMPAIGN_SECONDS else Remark.STARTS_NO_CAMPAIGN]
    if "userId" not in call and "anonymousId" in call and age > ANONYMOUS_SECONDS:
        found.append(Remark.NOT_MERGED)
    return found


def call_time(call: Mapping[str, Any], otherwise: float) -> float:
    """The `timestamp` of a call, epoch seconds; `otherwise` if it has none."""
    try:
        return datetime.fromisoformat(str(call.get("timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return otherwise


def subject(call: Mapping[str, Any]) -> str:
    """Whom or what a call is about: the group of a `group`, else the person, else the group of a `track`."""
    fields = ("groupId",) if call["type"] == "group" else ("userId", "anonymousId", "groupId")
    return next((str(call[field]) for field in fields if field in call), "")
