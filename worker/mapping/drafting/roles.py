"""Which fields look like a person's id, the event's time, and the event's own id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from worker.mapping.drafting.made_up import EMAIL, is_time
from worker.mapping.drafting.sample import (
    KEY,
    FieldPath,
    Sample,
    expression,
    joined,
    scalar_paths,
    singular,
    words,
)

PEOPLE = (
    "user",
    "customer",
    "member",
    "person",
    "contact",
    "subscriber",
    "client",
    "patient",
    "guest",
    "student",
    "employee",
    "buyer",
    "account",
    "profile",
    "actor",
    "owner",
    "sender",
    "author",
    "driver",
    "rider",
    "passenger",
    "player",
    "learner",
    "donor",
    "participant",
    "attendee",
    "applicant",
    "candidate",
    "borrower",
    "traveller",
)
"""Words for a person, the likeliest to be the one that an event is about first."""

SUBJECT: FieldPath = ("_ce", "subject")

WRAPPERS = ("data", "payload", "body", "detail", "object", "attributes", "properties", "traits", "eventdata")
"""Objects that hold an event's own fields, beside fields about the event."""

_ID_WORDS = ("id", "uuid", "uid", "guid", "key", "number", "no", "ref", "externalid")
_OWN_IDS = {"id", "uuid"}
_PERSON_IDS = {person + word for person in PEOPLE for word in _ID_WORDS} | {"uid", "sub"}
_ANONYMOUS_IDS = ("anonymousid", "anonymoususerid", "anonid", "visitorid", "cookieid", "domainuserid")
_TIMES = (
    "occurredat",
    "happenedat",
    "eventtime",
    "eventtimestamp",
    "eventdate",
    "originaltimestamp",
    "timestamp",
    "time",
    "ts",
    "datetime",
    "collectortstamp",
    "updatedat",
    "updated",
    "createdat",
    "created",
    "sentat",
    "date",
    "at",
)
_TIME_ENDINGS = ("at", "time", "timestamp", "tstamp", "date", "ts")
_SURE_TIMES = _TIMES[: _TIMES.index("updatedat")]
_EVENT_IDS = ("eventid", "messageid", "eventuuid", "eventguid", "id", "uuid", "guid")
_EVENT_ID_LEVELS = 2


@dataclass(frozen=True, slots=True)
class Role:
    """A field that seems to have a meaning for a call.

    Attributes:
        path: of the field.
        doubt: what to check; empty if its name leaves little doubt.
    """

    path: FieldPath
    doubt: str = ""


def person(samples: Sequence[Sample], subject: str) -> Role | None:
    """The id of the person that the events are about.

    Args:
        samples: of one kind.
        subject: the word for what the events are about: an `id` in an event of `customers` is a customer's.
    """
    scalars = [path for path in scalar_paths(samples) if _in_all(samples, path, _is_id_value)]
    named = [path for path in scalars if _person_rank(path) is not None]
    if named:
        named.sort(key=lambda path: (_person_rank(path) or 0, len(path)))
        return Role(named[0], f"or {expression(named[1])}?" if len(named) > 1 else "")
    if singular(subject) in PEOPLE:
        own = [
            path
            for path in scalars
            if joined(path[-1]) in _OWN_IDS and all(joined(name) in WRAPPERS for name in path[:-1])
        ]
        if own:
            # Of `id` and `data.id` the outer one is the event's.
            return Role(own[-1], f"is this the id of the {singular(subject)}?")
    bare = [path for path in scalars if joined(path[-1]) in PEOPLE]
    if bare:
        return Role(
            min(bare, key=lambda path: (PEOPLE.index(joined(path[-1])), len(path))), "is this a person's id?"
        )
    emails = [
        path for path in scalars if joined(path[-1]).endswith("email") and _in_all(samples, path, _is_email)
    ]
    beside_email = [
        path
        for path in scalars
        if joined(path[-1]) in _OWN_IDS and path[:-1] in {each[:-1] for each in emails}
    ]
    if beside_email:
        return Role(beside_email[0], "it is beside an email address: is this a person's id?")
    if emails:
        return Role(emails[0], "an email address; a stable id is better, since addresses change")
    beside = {SUBJECT: "is the event's subject one?", KEY: "is the record's key one?"}
    found = next((path for path in beside if _in_all(samples, path, _is_id_value)), None)
    return Role(found, f"no field looks like a person's id: {beside[found]}") if found else None


def anonymous(samples: Sequence[Sample]) -> Role | None:
    """The id of an anonymous visitor."""
    found = _first_named(
        samples, _ANONYMOUS_IDS, lambda value: isinstance(value, str) and bool(value), some=True
    )
    return None if found is None else Role(found)


def time(samples: Sequence[Sample]) -> Role | None:
    """When the events happened."""
    found = _first_named(samples, _TIMES, is_time)
    if found is not None:
        return Role(found, "" if joined(found[-1]) in _SURE_TIMES else "is this when it happened?")
    others = [
        path
        for path in scalar_paths(samples)
        if words(path[-1])[-1:] and words(path[-1])[-1] in _TIME_ENDINGS and _in_all(samples, path, is_time)
    ]
    return Role(others[0], "is this when it happened?") if others else None


def event_id(samples: Sequence[Sample], person_id: FieldPath | None) -> Role | None:
    """The event's own unique id, which must differ from event to event."""
    candidates = [
        path for path in scalar_paths(samples) if len(path) <= _EVENT_ID_LEVELS and path != person_id
    ]
    candidates = [path for path in candidates if len(path) == 1 or joined(path[-1]) in _EVENT_IDS[:4]]
    for name in _EVENT_IDS:
        for path in candidates:
            if joined(path[-1]) == name and _in_all(samples, path, _is_id_value) and _differs(samples, path):
                doubt = (
                    "" if name in _EVENT_IDS[:4] else "is this the event's own id, another for each event?"
                )
                return Role(path, doubt)
    return None


def _person_rank(path: FieldPath) -> int | None:
    """How surely a field is a person's id, the smallest the surest; None if its name says no such thing."""
    name = joined(path[-1])
    parent = singular(joined(path[-2])) if len(path) > 1 else ""
    if name in _PERSON_IDS:
        return next((rank for rank, each in enumerate(PEOPLE) if name.startswith(each)), len(PEOPLE))
    if name in _ID_WORDS and parent in PEOPLE:
        return PEOPLE.index(parent)
    return None


def _first_named(
    samples: Sequence[Sample], names: Sequence[str], fits: Callable[[Any], bool], *, some: bool = False
) -> FieldPath | None:
    """The first field of the best of these names whose values fit.

    Args:
        samples: of one kind.
        names: in one word, the best first.
        fits: whether a value is of the right kind.
        some: whether the field may be missing in some of the events.
    """
    paths = scalar_paths(samples)
    for name in names:
        for path in paths:
            if joined(path[-1]) == name and _in_all(samples, path, fits, some=some):
                return path
    return None


def _in_all(
    samples: Sequence[Sample], path: FieldPath, fits: Callable[[Any], bool], *, some: bool = False
) -> bool:
    values = [sample.find(path) for sample in samples]
    if some:
        values = [value for value in values if value is not None]
    return bool(values) and all(map(fits, values))


def _is_id_value(value: object) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (
        isinstance(value, int) and not isinstance(value, bool)
    )


def _is_email(value: object) -> bool:
    return isinstance(value, str) and EMAIL.fullmatch(value) is not None


def _differs(samples: Sequence[Sample], path: FieldPath) -> bool:
    values = [sample.find(path) for sample in samples]
    return len(set(values)) == len(values)
