"""The effects of accepted calls: Customer.io also answers 200 to calls that change nothing.

Written from Customer.io's documents only, apart from the worker's own remarks (`customerio.advice`), so that tests can
hold the two against each other. Sources:

- Events of the past 72 hours can trigger campaigns (Track API reference, `eventsRequest.timestamp`).
- Anonymous events are merged for 30 days (Track API reference, `POST /api/v1/events`), and only if they arrive within
  five minutes after the `identify` that names their anonymousId (docs.customer.io, Anonymous events).
- A profile takes no update that is older than its latest one (Track API reference, `identify_person.timestamp`;
  posthog/posthog#55330). Times are whole seconds (segmentio/action-destinations, `customerio/utils.ts`).
- `unsubscribed`: "true" in any case, 1 and "1" are unsubscribed, anything else is subscribed (pipelines.json).
- `recipient`, `from_address` and `reply_to` override settings of campaigns (Track API reference, Reserved Properties).
- `Application Uninstalled` with a token deletes the device (segmentio/action-destinations, `customerio/deleteDevice`).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

MAX_REMEMBERED = 100_000
"""Profiles whose latest update is remembered, and people counted for each effect."""

_CAMPAIGN_SECONDS = 72 * 3600
_ANONYMOUS_SECONDS = 30 * 86_400
_AFTER_IDENTIFY_SECONDS = 300
_DELETIONS = ("User Deleted", "User Suppressed")
_RESERVED = ("recipient", "from_address", "reply_to")


class Effect(StrEnum):
    """An effect that a call had, or did not have."""

    CAMPAIGNS_MAY_START = "may start campaigns"
    NO_CAMPAIGN = "older than 72 hours: started no campaign"
    NOT_MERGED = "anonymous and older than 30 days: not merged into a person"
    AFTER_IDENTIFY = "anonymous, and over five minutes after the identify: not merged into the person"
    UPDATE_IGNORED = "older than the profile's latest update: changed nothing"
    SUBSCRIBED = "an odd `unsubscribed` was read as subscribed"
    MAIL_REDIRECTED = "a reserved property redirects the mail of campaigns"
    DEVICE_DELETED = "Application Uninstalled deleted the device"


WITHOUT_EFFECT = frozenset(
    {Effect.NO_CAMPAIGN, Effect.NOT_MERGED, Effect.AFTER_IDENTIFY, Effect.UPDATE_IGNORED}
)
"""Effects that a call did not have, though it was probably meant to."""


class Effects:
    """Simulates what Customer.io does with accepted calls, in the order of their arrival.

    Attributes:
        calls: how many calls had each effect.
    """

    def __init__(self) -> None:
        self.calls: Counter[Effect] = Counter()
        self._people: dict[Effect, set[int]] = {effect: set() for effect in Effect}
        self._latest: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._identified: OrderedDict[str, float] = OrderedDict()

    def of(self, call: dict[str, Any], person: str | None, at: float) -> list[Effect]:
        """Determine the effects of one accepted call.

        Args:
            call: valid under `rules`.
            person: whom it is about.
            at: when it arrived, epoch seconds; its time if it has none of its own.
        """
        found = list(self._found(call, _time(call, at), at))
        for effect in found:
            self.calls[effect] += 1
            if len(self._people[effect]) < MAX_REMEMBERED:
                self._people[effect].add(hash(person))
        return found

    def view(self) -> dict[str, dict[str, int]]:
        """For each effect that occurred: how many calls had it, and how many people (or groups) they were about."""
        return {
            effect.name.lower(): {"calls": n, "people": len(self._people[effect])}
            for effect, n in self.calls.most_common()
        }

    def _found(self, call: dict[str, Any], time: float, at: float) -> Iterator[Effect]:
        match call["type"]:
            case "identify" | "group":
                if call["type"] == "identify" and call.get("userId") and call.get("anonymousId"):
                    _remember(self._identified, call["anonymousId"], at)
                yield from self._profile(call, int(time))
            case "track" if _name(call) in _SEMANTIC:
                if _name(call) in _DELETIONS:
                    self._latest.pop(("identify", str(call.get("userId"))), None)
            case "track" | "page" | "screen":
                identified_at = self._identified.get(str(call.get("anonymousId")), at)
                if not call.get("userId") and at - identified_at > _AFTER_IDENTIFY_SECONDS:
                    yield Effect.AFTER_IDENTIFY
                yield from _event(call, at - time)

    def _profile(self, call: dict[str, Any], second: int) -> Iterator[Effect]:
        kind = call["type"]
        traits = call.get("traits") or {}
        ids = ("groupId",) if kind == "group" else ("userId", "anonymousId")
        name = next((call[field] for field in ids if call.get(field)), traits.get("email"))
        latest = self._latest.get((kind, str(name)))
        if latest is not None and second < latest:
            yield Effect.UPDATE_IGNORED
            return
        _remember(self._latest, (kind, str(name)), second)
        if kind == "identify" and _is_odd(traits.get("unsubscribed")):
            yield Effect.SUBSCRIBED


_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def _remember(known: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Keep the newest `MAX_REMEMBERED`."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > MAX_REMEMBERED:
        known.popitem(last=False)


_SEMANTIC = frozenset(
    {
        *_DELETIONS,
        "User Unsuppressed",
        "Device Created or Updated",
        "Device Deleted",
        "Relationship Deleted",
        "Object Deleted",
        "Report Delivery Event",
        "Report Content Event",
    }
)


def _event(call: dict[str, Any], age: float) -> Iterator[Effect]:
    properties = call.get("properties") or {}
    yield Effect.CAMPAIGNS_MAY_START if age <= _CAMPAIGN_SECONDS else Effect.NO_CAMPAIGN
    if not call.get("userId") and call.get("anonymousId") and age > _ANONYMOUS_SECONDS:
        yield Effect.NOT_MERGED
    if call["type"] != "track":
        return
    if any(properties.get(name) is not None for name in _RESERVED):
        yield Effect.MAIL_REDIRECTED
    device = (call.get("context") or {}).get("device") or {}
    if _name(call) == "Application Uninstalled" and isinstance(device, dict) and device.get("token"):
        yield Effect.DEVICE_DELETED


def _is_odd(value: object) -> bool:
    """Whether a value is neither one that unsubscribes nor one that plainly subscribes."""
    return value is not None and str(value).lower() not in {"true", "false", "1", "0"}


def _name(call: dict[str, Any]) -> str:
    return str(call.get("event")).strip()


def _time(call: dict[str, Any], otherwise: float) -> float:
    try:
        return datetime.fromisoformat(str(call.get("timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return otherwise
