"""The mapping of a campaign's topics, and what it must make of each event, written independently of the worker.

Every call carries `n`, the number of its event, and `i`, its place among the calls of the event.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.kafka_client import Headers
from tests.support.ledger import PERSON, TEXT

AT = "2026-11-21T10:00:00.000Z"

REFUSED_EVENT = "Refused By The API"
"""The API of a campaign refuses calls of this name."""

MAPPING = """\
topics: {topics}
unmatched: {unmatched}
defaults: {{timestamp: at}}
rules:
  - when: type == 'skipped'
    ignore: true
  - when: type == 'one' || type == 'nobody'
    call: track
    event: One
    userId: person
    properties: {{n: n, i: 0, text: text}}
  - when: type == 'several'
    userId: person
    calls:
      - call: identify
        traits: {{n: n, i: 0, text: text}}
      - call: track
        event: Second
        properties: {{n: n, i: 1}}
      - call: group
        groupId: company
        traits: {{n: n, i: 2}}
  - when: type == 'list'
    call: track
    for_each: items
    event: Item
    userId: person
    messageId: own
    properties: {{n: n, i: $index, item: $item}}
  - when: type == 'context'
    call: track
    event: Somewhere
    userId: person
    context: {{ip: ip}}
    integrations: {{All: true}}
    properties: {{n: n, i: 0, text: text}}
  - when: type == 'refused'
    userId: person
    calls:
      - call: track
        event: Before
        properties: {{n: n, i: 0}}
      - call: track
        event: Refused By The API
        properties: {{n: n, i: 1}}
      - call: track
        event: After
        properties: {{n: n, i: 2}}
  - when: starts_with(type, 'mapper')
    mapper: mappers.events:mapped
"""

MAPPER = """\
from worker import Event, Reject, track


def mapped(event: Event):
    value = event.value
    if value["type"] == "mapper rejects":
        raise Reject("NO_CONSENT")
    if value["type"] == "mapper ignores":
        return None
    properties = {"n": value["n"], "i": 0}
    return track("Mapped", user_id=value["person"], timestamp=value["at"], properties=properties)
"""

Call = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must become of an event.

    Attributes:
        calls: that must be accepted, without their `messageId`; none, and no reason either: it is ignored.
        reason: of its dead letter; None if it must have none.
        refused: the index of the call that the API refuses, for which there is the dead letter.
    """

    calls: tuple[Call, ...] = ()
    reason: str | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event to be produced.

    Attributes:
        number: unique in its world; the record has it in the header `n`.
        topic: the number of its topic.
    """

    number: int
    topic: int
    kind: str
    key: bytes | None
    value: bytes | None
    outcome: Outcome

    @property
    def headers(self) -> Headers:
        """The headers of its record."""
        return [("n", str(self.number).encode()), ("trace", b"\x00\xff"), ("trace", b"")]


@dataclass(slots=True)
class _Draft:
    """The value of an event in the making."""

    rng: random.Random
    contexts: int
    padding: int
    unmatched: str
    data: dict[str, Any] = field(default_factory=dict)

    def call(self, type_: str, index: int, event: str | None = None, **more: Any) -> Call:
        """A call of the event as it must arrive."""
        where = "properties" if type_ == "track" else "traits"
        inner = {"n": self.data["n"], "i": index, **more.pop("inner", {})}
        name = {"event": event} if event else {}
        return {"type": type_, "userId": self.data["person"], "timestamp": AT, where: inner, **name, **more}

    def text(self) -> dict[str, str]:
        """The property `text`."""
        return {"text": self.data["text"]}


def _one(draft: _Draft) -> Outcome:
    return Outcome((draft.call("track", 0, "One", inner=draft.text()),))


def _several(draft: _Draft) -> Outcome:
    group = draft.call("group", 2, groupId=draft.data["company"])
    identify = draft.call("identify", 0, inner=draft.text())
    return Outcome((identify, draft.call("track", 1, "Second"), group))


def _list(draft: _Draft) -> Outcome:
    items = [draft.rng.randrange(1000) for _ in range(draft.rng.randrange(5))]
    draft.data |= {"items": items, "own": f"own-{draft.data['n']}"}
    calls = [draft.call("track", index, "Item", inner={"item": item}) for index, item in enumerate(items)]
    return Outcome(tuple(calls))


def _context(draft: _Draft) -> Outcome:
    draft.data["ip"] = ip = f"10.0.0.{draft.rng.randrange(draft.contexts)}"
    shared = {"context": {"ip": ip}, "integrations": {"All": True}}
    return Outcome((draft.call("track", 0, "Somewhere", inner=draft.text(), **shared),))


def _refused(draft: _Draft) -> Outcome:
    names = ("Before", REFUSED_EVENT, "After")
    calls = tuple(draft.call("track", index, name) for index, name in enumerate(names))
    return Outcome(calls, "HTTP_400", refused=1)


def _mapped(draft: _Draft) -> Outcome:
    return Outcome((draft.call("track", 0, "Mapped"),))


def _nobody(draft: _Draft) -> Outcome:
    del draft.data["person"]
    return Outcome(reason="MISSING_ID")


def _unmatched(draft: _Draft) -> Outcome:
    return Outcome(reason="UNMATCHED" if draft.unmatched == "dead_letter" else None)


KINDS: dict[str, Callable[[_Draft], Outcome]] = {
    "one": _one,
    "several": _several,
    "list": _list,
    "context": _context,
    "refused": _refused,
    "mapper": _mapped,
    "mapper ignores": lambda _: Outcome(),
    "mapper rejects": lambda _: Outcome(reason="NO_CONSENT"),
    "nobody": _nobody,
    "skipped": lambda _: Outcome(),
    "unknown": _unmatched,
    "tombstone": _unmatched,
    "broken": lambda _: Outcome(reason="INVALID_JSON"),
}
"""Kinds of events. `_unmatched` says what the mapping does with events that no rule matches, and so with tombstones."""

BAD = frozenset({"refused", "mapper rejects", "nobody", "unknown", "tombstone", "broken"})
"""Kinds that may become dead letters: so few of each that they are no storm."""


def draw_event(
    rng: random.Random,
    number: int,
    topic: int,
    key: bytes | None,
    *,
    weights: Sequence[int],
    contexts: int,
    padding: int,
    unmatched: str,
) -> Event:
    """The next event of a topic.

    Args:
        weights: how often each of `KINDS` comes.
        contexts: how many different batch contexts there are.
        padding: the longest text.
        unmatched: as the mapping has it.
    """
    (kind,) = rng.choices(list(KINDS), weights)
    draft = _Draft(rng, contexts, padding, unmatched)
    person = f"{PERSON}-{'' if key is None else key.hex()}@{topic}"
    text = TEXT + "·" * rng.randrange(padding + 1)
    draft.data = {"type": kind, "n": number, "person": person, "company": "acme", "at": AT, "text": text}
    outcome = KINDS[kind](draft)
    value: bytes | None = json.dumps(draft.data, ensure_ascii=False).encode()
    if kind == "tombstone":
        value = None
    elif kind == "broken":
        value = b'{"n": ' + str(number).encode()
    return Event(number, topic, kind, key, value, outcome)
