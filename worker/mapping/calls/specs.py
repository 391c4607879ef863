"""The fields of each call and where they go: one table for builders and rules.

`CALLS` has the six types of the API and the nine semantic calls, which are a `track` with a reserved event name. Both
the builders and the rule compiler generate code from it, so equal rules and mappers send equal calls. Where the
documents disagree on the place of a field, it is sent at every place that one of them names (Customer.io Pipelines API
reference, Semantic events, and the newer machine-readable one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from worker.customerio.reference import (
    CONTENT_ACTIONS,
    DELIVERY_METRICS,
    DESTRUCTIVE_CALLS,
    DEVICE_TYPES,
    PERSON_IDS,
    SEMANTIC_EVENTS,
)

NO_PERSON = "value-not-used"
"""The anonymousId of a `delete_object` without a person: "it can be anything, we don't use it"."""


class Kind(StrEnum):
    """The type of a field's value, and how it is converted."""

    IDENTITY = "identity"
    """Text that is not blank, or a whole number, which becomes its decimal text (`validation.identity`)."""
    TEXT = "text"
    """Text that is not blank."""
    EVENT = "event"
    """An ordinary event's name (`semantic.check_event_name`). Literal in rules, or from `event_from`."""
    CHOICE = "choice"
    """One of `Field.choices`."""
    OBJECT_TYPE = "object type"
    """Digits, as text or as a whole number from 1 on; sent as text."""
    INTEGER = "integer"
    """A whole number."""
    OBJECT = "object"
    """A JSON object."""
    TIME = "time"
    """RFC 3339 text or a whole number (`timestamps.rfc3339`)."""
    EVENT_ID = "event id"
    """As IDENTITY: the event's own unique id, from which the call's messageId is derived."""


Place = tuple[str, ...]
"""A path of keys in a call's JSON."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a call.

    Attributes:
        name: its name in mapping files, such as `deviceType`.
        kind: what its value must be.
        places: every place where its value is sent; empty for an EVENT_ID, which is not sent itself.
        required: whether the record is rejected if no value is found.
        choices: the values of a CHOICE.
    """

    name: str
    kind: Kind
    places: tuple[Place, ...]
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        """The builders' parameter, such as `device_type`; `name` for a track's `event`."""
        return "name" if self.kind is Kind.EVENT else re.sub("([A-Z])", r"_\1", self.name).lower()


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One call: its fields, and which of them are required.

    Attributes:
        name: its name in rules, builders and `allow`, such as `delete_device`.
        type: the API's, one of six.
        event: the reserved event name of a semantic call; None for the others (a `track` has its own).
        fields: its fields by their names in mapping files, in the order in which they are sent.
        one_of: at least one of these fields must be found. Empty if `Field.required` says it all.
        fallback: the anonymousId that is sent if neither userId nor anonymousId is found: `(field, None)` for another
            field's value, `(None, text)` for a constant, None for no fallback.
        person_must_be_found: whether a userId or anonymousId that a rule names must be found. A rule may also name
            neither (`group`, `track`).
        name_or_url: whether `name` is required unless there is `properties.url` (`page`, `screen`).
    """

    name: str
    type: str
    event: str | None
    fields: dict[str, Field]
    one_of: tuple[str, ...] = ()
    fallback: tuple[str | None, str | None] | None = None
    person_must_be_found: bool = False
    name_or_url: bool = False

    @property
    def destructive(self) -> bool:
        """Whether only a rule that names or allows it may send it."""
        return self.name in DESTRUCTIVE_CALLS


def _field(
    name: str, kind: Kind, *places: Place, required: bool = False, choices: tuple[str, ...] = ()
) -> Field:
    return Field(name, kind, places or ((name,),), required, choices)


def _property(
    name: str, kind: Kind = Kind.TEXT, *, required: bool = False, choices: tuple[str, ...] = ()
) -> Field:
    return Field(name, kind, (("properties", name),), required, choices)


_USER = _field("userId", Kind.IDENTITY)
_KNOWN_USER = _field("userId", Kind.IDENTITY, required=True)
_ANONYMOUS = _field("anonymousId", Kind.IDENTITY)
_NAME = _field("name", Kind.TEXT)
_CATEGORY = _field("category", Kind.TEXT)
_TRAITS = _field("traits", Kind.OBJECT)
_PROPERTIES = _field("properties", Kind.OBJECT)
_COMMON = (
    _field("context", Kind.OBJECT),
    _field("integrations", Kind.OBJECT),
    _field("timestamp", Kind.TIME),
    Field("messageId", Kind.EVENT_ID, ()),
)
# The reference's prose and the newer one: context.device; its example: properties.device.
_TOKEN = Field(
    "token", Kind.TEXT, (("context", "device", "token"), ("properties", "device", "token")), required=True
)
_DEVICE_TYPE = Field(
    "deviceType",
    Kind.CHOICE,
    (("context", "device", "type"), ("properties", "device", "type")),
    choices=DEVICE_TYPES,
)
_OBJECT = _property("objectId", Kind.IDENTITY, required=True)
_OBJECT_TYPE = _property("objectTypeId", Kind.OBJECT_TYPE)


def _spec(  # noqa: PLR0913 - one parameter for each column of the table
    name: str,
    *fields: Field,
    type_: str = "track",
    one_of: tuple[str, ...] = (),
    fallback: tuple[str | None, str | None] | None = None,
    person_must_be_found: bool = False,
    name_or_url: bool = False,
) -> CallSpec:
    # Fields inside an object come after the object itself, which they are put into.
    in_order = sorted((*fields, *_COMMON), key=lambda field: any(len(place) > 1 for place in field.places))
    return CallSpec(
        name,
        type_,
        SEMANTIC_EVENTS.get(name),
        {field.name: field for field in in_order},
        one_of,
        fallback,
        person_must_be_found,
        name_or_url,
    )


CALLS: dict[str, CallSpec] = {
    spec.name: spec
    for spec in (
        _spec("identify", _USER, _ANONYMOUS, _TRAITS, type_="identify", one_of=PERSON_IDS),
        _spec(
            "track",
            _USER,
            _ANONYMOUS,
            # The newer reference: an event of a group instead of a person.
            _field("groupId", Kind.IDENTITY),
            _field("event", Kind.EVENT, required=True),
            _PROPERTIES,
            one_of=(*PERSON_IDS, "groupId"),
            person_must_be_found=True,
        ),
        _spec(
            "page",
            _USER,
            _ANONYMOUS,
            _NAME,
            _CATEGORY,
            _PROPERTIES,
            type_="page",
            one_of=PERSON_IDS,
            name_or_url=True,
        ),
        _spec(
            "screen",
            _USER,
            _ANONYMOUS,
            _NAME,
            _CATEGORY,
            _PROPERTIES,
            type_="screen",
            one_of=PERSON_IDS,
            name_or_url=True,
        ),
        _spec(
            "group",
            _USER,
            _ANONYMOUS,
            _field("groupId", Kind.IDENTITY, required=True),
            _TRAITS,
            # The reference: at the top level. What the destination reads: traits.object_type_id.
            Field("objectTypeId", Kind.OBJECT_TYPE, (("objectTypeId",), ("traits", "object_type_id"))),
            type_="group",
            person_must_be_found=True,
        ),
        _spec("alias", _KNOWN_USER, _field("previousId", Kind.IDENTITY, required=True), type_="alias"),
        _spec("delete_user", _KNOWN_USER, _PROPERTIES),
        _spec("suppress_user", _KNOWN_USER, _PROPERTIES),
        _spec("unsuppress_user", _KNOWN_USER, _PROPERTIES),
        _spec("create_or_update_device", _KNOWN_USER, _PROPERTIES, _TOKEN, _DEVICE_TYPE),
        _spec("delete_device", _KNOWN_USER, _PROPERTIES, _TOKEN, _DEVICE_TYPE),
        _spec("delete_relationship", _KNOWN_USER, _PROPERTIES, _OBJECT, _OBJECT_TYPE),
        _spec(
            "delete_object", _USER, _ANONYMOUS, _PROPERTIES, _OBJECT, _OBJECT_TYPE, fallback=(None, NO_PERSON)
        ),
        _spec(
            "report_delivery_event",
            _USER,
            _ANONYMOUS,
            _PROPERTIES,
            _property("deliveryId", Kind.IDENTITY, required=True),
            _property("metric", Kind.CHOICE, required=True, choices=DELIVERY_METRICS),
            _property("recipient"),
            _property("reason"),
            _property("href"),
            _property("actionName"),
            _property("actionValue"),
            # As the official mobile SDKs do: Customer.io drops a call without an id.
            fallback=("deliveryId", None),
        ),
        _spec(
            "report_content_event",
            _USER,
            _ANONYMOUS,
            _PROPERTIES,
            _property("actionType", Kind.CHOICE, required=True, choices=CONTENT_ACTIONS),
            _property("contentId", Kind.INTEGER),
            _property("templateId", Kind.INTEGER),
            _property("contentType"),
            _property("actionName"),
            _property("actionValue"),
            one_of=PERSON_IDS,
        ),
    )
}
"""Every call by its name.

A call is made as follows: `type`, then `event` (the spec's or the field's), then each field that is found, at each of
its places, in order. A field inside `properties`, `traits` or `context` is put into a copy of the object that the
mapping gives, and replaces a key of the same name.
"""
