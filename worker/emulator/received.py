"""What the emulator stores: the latest calls in full, everything else as counters.

Rules of this module:
    1. Memory is bounded: `keep_calls` and `keep_bytes` for calls, `remember` for message ids, `MAX_PEOPLE`.
    2. Counters cover everything since the start, including calls that are no longer stored.
    3. A call whose messageId was accepted before is counted but not stored again, as the API removes duplicates.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import Any

import orjson

from worker.emulator import names
from worker.emulator.effects import WITHOUT_EFFECT, Effect, Effects
from worker.emulator.request_body import Item

MAX_PEOPLE = 10_000
"""How many people the summary lists; the one whose last call is oldest is dropped first."""


class Outcome(StrEnum):
    """Whether a call was accepted."""

    TAKEN = "taken"
    DROPPED = "dropped"  # permissive mode: the response was 200, but the call is not stored by the API
    REFUSED = "refused"  # strict mode: the response was 4xx


@dataclass(slots=True)
class Entry:
    """One stored call.

    Attributes:
        sequence: its number since the start, from 1.
        at: when it arrived, in epoch seconds.
        request: the number of its request.
        outcome, person, type, event, message_id: the fields that `/admin/calls` can filter by.
        raw: its exact bytes.
        errors, notices: the findings about it.
        effects: what it did, or did not do, although it was accepted; see `effects`.
        deliveries: how often it arrived; more than 1 if later calls had the same messageId.
        identical: whether all deliveries had the same bytes.
        touched: the sequence of the newest change, for clients that poll for changes.
    """

    sequence: int
    at: float
    request: int
    outcome: Outcome
    person: str | None
    type: str | None
    event: str | None
    message_id: str | None
    raw: bytes
    destructive: bool
    errors: list[str]
    notices: list[str]
    effects: list[Effect] = field(default_factory=list)
    deliveries: int = 1
    identical: bool = True
    touched: int = 0

    @property
    def is_without_effect(self) -> bool:
        """Whether Customer.io would do less with the call than it was probably meant to."""
        return not WITHOUT_EFFECT.isdisjoint(self.effects)

    def view(self) -> dict[str, Any]:
        """The entry as `/admin/calls` shows it."""
        return {
            "sequence": self.sequence,
            "at": self.at,
            "request": self.request,
            "outcome": self.outcome.value,
            "person": self.person,
            "type": self.type,
            "event": self.event,
            "messageId": self.message_id,
            "destructive": self.destructive,
            "bytes": len(self.raw),
            "errors": self.errors,
            "notices": self.notices,
            "effects": list(self.effects),
            "without_effect": self.is_without_effect,
            "deliveries": self.deliveries,
            "identical": self.identical,
            "touched": self.touched,
            "call": _decoded(self.raw),
        }


@dataclass(slots=True)
class Person:
    """Counts and the latest times for one person, group or object."""

    calls: int = 0
    types: Counter[str] = field(default_factory=Counter)
    last_at: float = 0.0
    last_timestamp: str = ""
    timestamps_backwards: int = 0
    destructive: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """A filter for entries; None matches any value.

    Attributes:
        after: only entries that are new or changed since this sequence.
        limit: at most this many entries, the newest of those that match.
    """

    person: str | None = None
    type: str | None = None
    event: str | None = None
    message_id: str | None = None
    outcome: str | None = None
    after: int = 0
    limit: int = 1_000

    def matches(self, entry: Entry) -> bool:
        """Whether this entry passes the filter."""
        return (
            entry.touched > self.after
            and self.person in (None, entry.person)
            and self.type in (None, entry.type)
            and self.event in (None, entry.event)
            and self.message_id in (None, entry.message_id)
            and self.outcome in (None, entry.outcome.value)
        )


class Received:
    """The calls received, within the memory limits."""

    def __init__(self, *, keep_calls: int, keep_bytes: int, remember: int) -> None:
        self._keep_calls, self._keep_bytes, self._remember = keep_calls, keep_bytes, remember
        self.clear()

    def clear(self) -> None:
        """Forget everything, message ids too."""
        self._stored: deque[Entry] = deque()
        self._stored_bytes = 0
        self._digests: OrderedDict[str, bytes] = OrderedDict()
        self._entry_by_id: dict[str, Entry] = {}
        self.people: OrderedDict[str, Person] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.last_sequence = 0
        self.effects = Effects()

    def accept(self, item: Item, *, at: float, request: int) -> None:
        """Store a good call, or count it as a duplicate if its messageId was accepted before."""
        assert item.call is not None
        message_id = item.call.get("messageId")
        if isinstance(message_id, str) and message_id in self._digests:
            self._count_duplicate(message_id, item)
            return
        entry = self._append(item, Outcome.TAKEN, at, request)
        entry.effects = self.effects.of(item.call, entry.person, at)
        self.counts["without_effect"] += entry.is_without_effect
        if entry.message_id is not None:
            self._remember_id(entry.message_id, entry)
        self.counts["taken"] += 1
        self.types[entry.type or "?"] += 1
        self._count_person(entry, item.call)

    def refuse(self, item: Item, outcome: Outcome, *, at: float, request: int) -> None:
        """Store a call that was dropped or refused, with the errors."""
        self._append(item, outcome, at, request)
        self.counts[outcome.value] += 1
        self.reasons.update(item.errors[:1])

    def entries(self, query: Query) -> list[Entry]:
        """The newest entries that match, oldest first."""
        newest_first = (entry for entry in reversed(self._stored) if query.matches(entry))
        return list(islice(newest_first, max(query.limit, 0)))[::-1]

    def calls(self, query: Query | None = None) -> list[dict[str, Any]]:
        """The accepted calls that are still stored, decoded, in the order of their first delivery."""
        query = replace(query or Query(), outcome=Outcome.TAKEN.value, limit=self._keep_calls)
        return [orjson.loads(entry.raw) for entry in self.entries(query)]

    @property
    def kept(self) -> int:
        """How many entries are stored."""
        return len(self._stored)

    def newest_people(self, limit: int) -> Iterator[tuple[str, Person]]:
        """People by their last call, newest first."""
        return islice(reversed(self.people.items()), limit)

    def _append(self, item: Item, outcome: Outcome, at: float, request: int) -> Entry:
        call = item.call or {}
        self.last_sequence += 1
        entry = Entry(
            sequence=self.last_sequence,
            at=at,
            request=request,
            outcome=outcome,
            person=person_of(call),
            type=_text(call.get("type")),
            event=names.trimmed_event(call) or _text(call.get("name")),
            message_id=_text(call.get("messageId")),
            raw=item.raw,
            destructive=names.is_destructive(call),
            errors=item.errors,
            notices=item.notices,
            touched=self.last_sequence,
        )
        self._stored.append(entry)
        self._stored_bytes += len(entry.raw)
        while len(self._stored) > self._keep_calls or self._stored_bytes > self._keep_bytes:
            self._forget(self._stored.popleft())
        return entry

    def _forget(self, entry: Entry) -> None:
        self._stored_bytes -= len(entry.raw)
        if entry.message_id is not None and self._entry_by_id.get(entry.message_id) is entry:
            del self._entry_by_id[entry.message_id]

    def _remember_id(self, message_id: str, entry: Entry) -> None:
        self._digests[message_id] = _digest(entry.raw)
        self._entry_by_id[message_id] = entry
        if len(self._digests) > self._remember:
            self._digests.popitem(last=False)

    def _count_duplicate(self, message_id: str, item: Item) -> None:
        same = self._digests[message_id] == _digest(item.raw)
        if entry := self._entry_by_id.get(message_id):
            self.last_sequence += 1
            entry.touched = self.last_sequence
            entry.deliveries += 1
            entry.identical = entry.identical and same
        self.counts["duplicates"] += 1
        self.counts["duplicates_identical" if same else "duplicates_different"] += 1

    def _count_person(self, entry: Entry, call: dict[str, Any]) -> None:
        if entry.person is None:
            return
        person = self.people.setdefault(entry.person, Person())
        self.people.move_to_end(entry.person)
        if len(self.people) > MAX_PEOPLE:
            self.people.popitem(last=False)
            self.counts["people_forgotten"] += 1
        person.calls += 1
        person.types[entry.type or "?"] += 1
        person.destructive += entry.destructive
        person.last_at = entry.at
        self._check_order(person, call.get("timestamp"))

    def _check_order(self, person: Person, timestamp: object) -> None:
        """Count a timestamp that is older than the person's last one.

        Compared as text, which is exact for clients with a fixed timestamp format, such as the worker.
        """
        if not isinstance(timestamp, str):
            return
        if timestamp < person.last_timestamp:
            person.timestamps_backwards += 1
            self.counts["timestamps_backwards"] += 1
        person.last_timestamp = timestamp


def person_of(call: dict[str, Any]) -> str | None:
    """Who the call is about: the person's id, else the anonymous id, else the group or object."""
    for name in ("userId", "anonymousId", "groupId"):
        if names.present(call.get(name)):
            return str(call[name])
    return None


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _decoded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace")
