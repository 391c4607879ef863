"""A draft of a mapping: one rule for each kind of event, and everything uncertain marked `# check:`."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from worker.customerio.semantic import reserved
from worker.mapping.drafting.kinds import kind_field, tells_kinds
from worker.mapping.drafting.made_up import values_of
from worker.mapping.drafting.roles import PEOPLE, WRAPPERS, Role, anonymous, event_id, person, time
from worker.mapping.drafting.sample import KEY, FieldPath, Sample, expression, joined, singular, words
from worker.mapping.drafting.wrapping import CE_TYPE, CHANGES, OP, Wrapping

BASIC_CALLS = ("identify", "track", "page", "screen", "group")
"""Kinds of events that are named like a call, as Segment's are."""

NO_ENVELOPE = Wrapping()
_MAX_WRAPPERS = 3
_CHANGES = {
    "create",
    "update",
    "read",
    "created",
    "updated",
    "registered",
    "changed",
    "upserted",
    "signup",
    "added",
    "modified",
}
_DELETIONS = {"delete", "deleted", "erased", "removed", "anonymized", "forgotten"}
_MAIL_PROPERTIES = {"recipient", "from_address", "reply_to"}
"""Properties of a `track` that redirect campaign mail (Track API reference)."""

_OWN_TRAITS = {"id", "cio_id"}
"""Traits that name the person instead of describing it."""

_DOMAIN = re.compile(r"(com|org|net|io|dev|app|co)\.[A-Za-z0-9-]+\.(?=.)")
"""What types of CloudEvents begin with: a domain name, reversed."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off"}


@dataclass(slots=True)
class Rule:
    """A rule of the draft.

    Attributes:
        kind: the events that it is for; None for all.
        sample: the one of these events that has the most fields, for the fixture.
        lines: its YAML.
    """

    kind: str | None
    sample: Sample
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Draft:
    """A mapping file to begin from.

    Attributes:
        text: the mapping file.
        rules: its rules.
        kept: the paths whose values stand in fixtures as they are.
        values: every text and number of the samples, as text.
    """

    text: str
    rules: list[Rule]
    kept: frozenset[FieldPath]
    values: frozenset[str]


def draft(topic: str, samples: Sequence[Sample], wrapping: Wrapping = NO_ENVELOPE) -> Draft:
    """Draft a mapping.

    Args:
        topic: that the samples are from.
        samples: at least one that is not a tombstone.
        wrapping: their envelope.
    """
    events = [sample for sample in samples if sample.event]
    path = _kind_path(events, wrapping)
    kinds: dict[str | None, list[Sample]] = defaultdict(list)
    for sample in events:
        kinds[None if path is None else str(sample.find(path))].append(sample)
    rules = [
        _rule(topic, path, kind, of_kind, wrapping.word)
        for kind, of_kind in sorted(kinds.items(), key=lambda each: each[0] or "")
    ]
    lines = [f"topics: [{_key(topic)}]", *wrapping.head, "rules:"]
    if path is None:
        lines.append("  # check: no field tells kinds of events apart, so one rule is for all of them")
    for rule in rules:
        lines += rule.lines
    if path == OP and (missing := [op for op in ("create", "update", "delete") if op not in kinds]):
        lines.append(
            f"  # check: no {' and no '.join(missing)} was among the records; without a rule it is ignored"
        )
    if tombstones := sum(sample.value is None for sample in samples):
        lines += _about_tombstones(tombstones, wrapping)
    values = frozenset(
        text for each in samples for text in values_of([each.value, each.key, each.key_object, each.headers])
    )
    return Draft("\n".join(lines) + "\n", rules, wrapping.kept(path), values)


def _kind_path(events: Sequence[Sample], wrapping: Wrapping) -> FieldPath | None:
    """The field that tells kinds of events apart; None if none does."""
    if wrapping.word == "debezium":
        return OP
    if wrapping.word == "cloudevents" and tells_kinds(events, CE_TYPE):
        return CE_TYPE
    return kind_field(events)


def _rule(
    topic: str, path: FieldPath | None, kind: str | None, samples: Sequence[Sample], envelope: str
) -> Rule:
    rule = Rule(kind, max(samples, key=lambda sample: _size(sample.event)))
    about = [*words(topic.rpartition(".")[2]), *words(kind or "")]
    when = [] if path is None else [f"when: {_scalar(_equals(path, kind))}"]
    writer = _CallWriter(path, kind, samples, about, envelope)
    body = when + writer.lines()
    rule.lines = [f"  {'- ' if number == 0 else '  '}{line}" for number, line in enumerate(body)]
    return rule


class _CallWriter:
    """Writes the call of one rule."""

    def __init__(
        self,
        kind_path: FieldPath | None,
        kind: str | None,
        samples: Sequence[Sample],
        about: list[str],
        envelope: str,
    ) -> None:
        self._samples = samples
        self._about = about
        self._kind = kind
        self._envelope = envelope
        # Of `customer.subscription.deleted` it is the word before the last: the subscription.
        self._subject = "".join(about[-1 if kind is None else -2 :][:1])
        self._person = person(samples, self._subject)
        self._anonymous = anonymous(samples)
        self._time, self._event_id = self._time_and_id()
        roles = [self._person, self._anonymous, self._time, self._event_id]
        self._used = {role.path for role in roles if role} | ({kind_path} if kind_path else set())

    def _time_and_id(self) -> tuple[Role | None, Role | None]:
        """When the events happened, and their own ids, where the envelope does not give them by itself."""
        if self._envelope == "cloudevents":
            return None, None
        if self._envelope == "debezium":  # the row's own id is the same in all its changes
            return Role(("_change", "timestamp")), None
        return time(self._samples), event_id(self._samples, self._person.path if self._person else None)

    def lines(self) -> list[str]:
        """The rule's keys, but for `when`."""
        if self._person is None and self._anonymous is None:
            return ["ignore: true  # check: no field looks like a person's id; these events are not sent"]
        call = self._call()
        if call is None:
            return [
                "ignore: true  # check: `call: suppress_user` with `userId` in its place deletes the person"
            ]
        doubt = (
            "  # check: or `call: track` with `event`" if call == "identify" and self._kind is None else ""
        )
        lines = [f"call: {call}{doubt}", *self._name(call)]
        lines += self._field("userId", self._person)
        lines += self._field("anonymousId", self._anonymous)
        lines += self._field(
            "timestamp",
            self._time,
            otherwise=""
            if self._envelope == "cloudevents"
            else "no field looks like a time: the record's own is sent",
        )
        lines += self._field("messageId", self._event_id)
        if call == "group":
            lines.append("groupId: groupId")
        return lines + self._properties("traits" if call in {"identify", "group"} else "properties", call)

    def _call(self) -> str | None:
        """The call; None for an event that only deletes a person, which a person must decide about."""
        if self._kind in BASIC_CALLS:
            return self._kind
        about_person = singular(self._subject) in PEOPLE
        last = set(words(self._kind or "")[-1:])
        if about_person and last & _DELETIONS:
            return None
        if reserved(self._title()):
            return None
        is_change = self._kind is None or bool(last & _CHANGES)
        return "identify" if about_person and is_change else "track"

    def _name(self, call: str) -> list[str]:
        if call in {"page", "screen"} and self._has("name"):
            self._used.add(("name",))
            return ["name: name"]
        if call != "track":
            return []
        if self._kind == "track" and self._has("event"):
            self._used.add(("event",))
            return ["event_from: event"]
        is_plain = self._kind is not None and len(words(self._kind)) > 1
        return [f"event: {self._title()}{'' if is_plain else '  # check: the name of the event'}"]

    def _title(self) -> str:
        """The name of the event."""
        if self._kind is not None and self._envelope != "debezium":
            return _title(_DOMAIN.sub("", self._kind) if self._envelope == "cloudevents" else self._kind)
        end = CHANGES.get(self._kind or "", "Received")
        nouns = self._about if self._kind is None else self._about[:-1]
        return f"{' '.join(singular(word).title() for word in nouns) or 'Event'} {end}"

    def _has(self, name: str) -> bool:
        """Whether all events have a text of this name."""
        return all(isinstance(sample.event.get(name), str) for sample in self._samples)

    def _field(self, name: str, role: Role | None, otherwise: str = "") -> list[str]:
        if role is None:
            return [f"# check: {otherwise}"] if otherwise else []
        doubt = f"  # check: {role.doubt}" if role.doubt else ""
        return [f"{name}: {_scalar(expression(role.path))}{doubt}"]

    def _properties(self, key: str, call: str) -> list[str]:
        found: dict[str, tuple[FieldPath, str]] = {}
        for path in self._fields():
            name, doubt = _property_name(path[-1], call)
            if name in found:
                name = "_".join(path) if len(path) > 1 else f"event_{name}"
            found.setdefault(name, (path, doubt))
        if not found:
            return []
        return [f"{key}:"] + [
            f"  {_key(name)}: {_scalar(expression(path))}{f'  # check: {doubt}' if doubt else ''}"
            for name, (path, doubt) in found.items()
        ]

    def _fields(self) -> Iterator[FieldPath]:
        """The fields of the events that have no other place, those of wrappers one by one."""
        wrapper: FieldPath = ()
        wrappers = [wrapper]
        while len(wrappers) <= _MAX_WRAPPERS and (inner := self._wrapper(wrapper)) is not None:
            wrapper = inner
            wrappers.append(inner)
        for each in reversed(wrappers):
            for name in self._names(each):
                path = (*each, name)
                if path not in self._used and path not in wrappers and not self._is_used_up(path):
                    yield path

    def _names(self, path: FieldPath) -> list[str]:
        objects = [found for sample in self._samples if isinstance(found := sample.find(path), dict)]
        return list(dict.fromkeys(name for each in objects for name in each if not name.startswith("_kafka")))

    def _wrapper(self, path: FieldPath) -> FieldPath | None:
        for name in self._names(path):
            inner = (*path, name)
            if joined(name) in WRAPPERS and all(
                isinstance(sample.find(inner), dict) for sample in self._samples
            ):
                return inner
        return None

    def _is_used_up(self, path: FieldPath) -> bool:
        """Whether an object holds nothing but fields that have their place."""
        names = self._names(path)
        return bool(names) and all((*path, name) in self._used for name in names)


def _property_name(name: str, call: str) -> tuple[str, str]:
    if call in {"identify", "group"} and name in _OWN_TRAITS:
        return f"original_{name}", f"a trait `{name}` would name the person"
    if call == "track" and name in _MAIL_PROPERTIES:
        return f"original_{name}", f"a property `{name}` would redirect campaign mail"
    return name, ""


def _about_tombstones(number: int, wrapping: Wrapping) -> list[str]:
    key = expression((*KEY, wrapping.key_field) if wrapping.key_field else KEY)
    return [
        f"  # check: {number:,} of the records had no value (tombstones), which are ignored. To delete the person:",
        "  # - when: _kafka.tombstone",
        "  #   call: delete_user",
        f"  #   userId: {_scalar(key)}",
    ]


def _size(value: object) -> int:
    """How many fields a value has, at all levels."""
    if isinstance(value, dict):
        return sum(1 + _size(item) for item in value.values() if item is not None)
    if isinstance(value, list):
        return max(map(_size, value), default=0)
    return 0


def _title(name: str) -> str:
    return " ".join(word.title() for word in words(name)) or name


def _equals(path: FieldPath, kind: str | None) -> str:
    """The condition of a kind; kinds contain no quotes."""
    return f"{expression(path)} == '{kind}'"


def _scalar(text: str) -> str:
    """An expression as a YAML value."""
    if text.lower() in _YAML_WORDS:
        return f"'\"{text}\"'"  # a field of that name, which the expression quotes too
    if _PLAIN.fullmatch(text):
        return text
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]* == '[A-Za-z0-9._/-]*'", text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _key(name: str) -> str:
    """A name as a YAML key."""
    if _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS:
        return name
    return json.dumps(name, ensure_ascii=False)
