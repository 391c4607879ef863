"""The builders for Python mappers, one function for each of the API's six types.

`semantic_builders` has the others.

Each takes the API's fields in snake case and returns a `Call`. Whole numbers become text where an id is needed. A call
that can never be delivered is refused at once; the rejection names the line of the mapper. `specs.CALLS` says which
fields each call has and where they go; the decorator `builder` generates the builders from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, TypedDict, TypeVar, Unpack, cast

from worker.mapping.calls.assembly import assembler
from worker.mapping.calls.call import Call
from worker.mapping.calls.specs import CALLS

Id = str | int | None
"""An id: text, or a whole number, which becomes its decimal text. None and blank text count as absent."""

Object = Mapping[str, Any] | None
"""A JSON object: text keys; text, numbers, booleans, None, lists and objects as values."""


class Common(TypedDict, total=False):
    """The fields that every builder takes (reference, Common fields).

    Attributes:
        timestamp: when the event happened: RFC 3339 text with an offset, a whole number (epoch milliseconds from
            10^11 on, seconds below), or a datetime with a time zone. By default the Kafka record's timestamp is
            sent.
        message_id: the event's own unique id. The `messageId` that is sent is derived from it, so an event that was
            produced twice counts once at Customer.io. By default it is derived from the record's coordinates.
        context: where it happened, such as `{"ip": ...}` on `identify`. Only calls with equal contexts share a
            request, so use few distinct values.
        integrations: which destinations receive the call, such as `{"All": False, "Mixpanel": True}`.
    """

    timestamp: str | int | datetime | None
    message_id: Id
    context: Object
    integrations: Object


_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)


class Reject(Exception):  # noqa: N818 - reads well in a mapper: `raise Reject("NO_PLAN")`
    """Raised by a mapper for a record that must be dead-lettered.

    Args:
        code: the reason, at most 64 upper-case letters, digits and underscores. Anything else becomes
            `MAPPER_REJECTED`: codes are labels of metrics and must not contain data of records.
    """

    def __init__(self, code: str = "MAPPER_REJECTED") -> None:
        self.code = code if _CODE.fullmatch(str(code)) else "MAPPER_REJECTED"
        super().__init__(self.code)


Builder = TypeVar("Builder", bound=Callable[..., Call])


def builder(declared: Builder) -> Builder:
    """The builder of the call that a function is named after.

    It has the function's parameters and those of `Common`. Its body is generated from the call's spec by
    `assembly.assembler`.
    """
    own = [each for each in signature(declared).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    common = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in Common.__annotations__]
    parameters = Signature([*(each.replace(annotation=Parameter.empty) for each in own), *common])
    written = assembler(CALLS[declared.__name__], str(parameters)[1:-1])
    return cast("Builder", wraps(declared)(written))


@builder
def identify(
    *, user_id: Id = None, anonymous_id: Id = None, traits: Object = None, **common: Unpack[Common]
) -> Call:
    """Create or update a person (reference, Identify).

    Args:
        user_id: the person; may be an email address. This or `anonymous_id` is needed; both together link
            the visitor's earlier events to the person.
        anonymous_id: an anonymous visitor.
        traits: attributes of the person: `email`, `created_at`, ...
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def track(
    name: str,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    group_id: Id = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Record something that a person did (reference, Track).

    Args:
        name: the event's name. Reserved names, and names that look like one, are refused: they have their own
            builders.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: an anonymous visitor; the API ignores it if there is a `user_id`.
        group_id: the group that did it, in place of a person (newer reference only).
        properties: attributes of the event.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def page(
    name: str | None = None,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    category: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Record a page view (reference, Page).

    Args:
        name: the page's name. Required unless `properties["url"]` is given.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: an anonymous visitor.
        category: the page's category.
        properties: `url`, `title`, `referrer`, `path`, `search`, ...
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def screen(
    name: str | None = None,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    category: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Record a view of an app's screen (reference, Screen).

    Args:
        name: the screen's name. Required unless `properties["url"]` is given.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: an anonymous visitor.
        category: the screen's category.
        properties: attributes of the screen.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def group(
    group_id: Id,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    traits: Object = None,
    object_type_id: str | int | None = None,
    **common: Unpack[Common],
) -> Call:
    """Create or update a group (an object), and add a person to it (reference, Group).

    Args:
        group_id: the group.
        user_id: the person; without one the group alone is updated.
        anonymous_id: an anonymous visitor.
        traits: attributes of the group.
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left
            out. Sent at the top level and as `traits.object_type_id`, since the documents disagree.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def alias(*, user_id: Id, previous_id: Id, **common: Unpack[Common]) -> Call:
    """Merge two people into one; destructive (reference, Alias).

    Args:
        user_id: the person who stays.
        previous_id: the person who is merged into the other and then deleted.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError
