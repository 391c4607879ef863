"""The builders: one function for each call, for Python mappers.

Each takes what the API takes, in snake case, and gives a `Call`. Whole numbers become text where an id is needed.
What can never be delivered is refused at once, with the line of the mapper that asked for it. `shapes.CALLS` says what
each call takes and where it goes.
"""
# ruff: noqa: PLR0913 - a builder takes what its call takes

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack

from worker.mapping.assembly import Call, assemble
from worker.mapping.shapes import CALLS

Id = str | int | None
"""An id: text, or a whole number, which becomes its decimal text. None and blank text count as absent."""

Object = Mapping[str, Any] | None
"""A JSON object: text keys; text, numbers, booleans, None, lists and objects as values."""


class Common(TypedDict, total=False):
    """What every builder takes besides its own (reference, Common fields).

    Attributes:
        timestamp: when it happened: RFC 3339 text with an offset, a whole number (epoch milliseconds from 10^11 on,
            seconds below), or a datetime with a time zone. Without it the Kafka record's timestamp is sent.
        message_id: the event's own unique id. The messageId that is sent is derived from it, so that an event which
            was produced twice is one event at Customer.io. Without it, it is derived from the record's coordinates.
        context: where it happened, such as `{"ip": ...}` on `identify`. Calls share a request only if theirs are
            equal: choose few values.
        integrations: which destinations get it, such as `{"All": False, "Mixpanel": True}`.
    """

    timestamp: str | int | datetime | None
    message_id: Id
    context: Object
    integrations: Object


_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)


class Reject(Exception):  # noqa: N818 - a mapper says `raise Reject("NO_PLAN")`
    """Raised by a mapper for a record that must be dead-lettered.

    Args:
        code: the reason, in upper-case letters, digits and underscores, at most 64; anything else counts as
            `MAPPER_REJECTED`, because codes become labels of metrics and must not hold what is in records.
    """

    def __init__(self, code: str = "MAPPER_REJECTED") -> None:
        self.code = code if isinstance(code, str) and _CODE.fullmatch(code) else "MAPPER_REJECTED"
        super().__init__(self.code)


def identify(
    *, user_id: Id = None, anonymous_id: Id = None, traits: Object = None, **common: Unpack[Common]
) -> Call:
    """Create or update a person (reference, Identify).

    Args:
        user_id: the person; may be an email address. This or `anonymous_id` is needed; both together link what the
            anonymous visitor did to the person.
        anonymous_id: a visitor whom nobody knows yet.
        traits: what is known of the person: `email`, `created_at`, ...
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _build("identify", {"userId": user_id, "anonymousId": anonymous_id, "traits": traits}, common)


def track(
    name: str,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    group_id: Id = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Something that somebody did (reference, Track).

    Args:
        name: the event's name. The reserved ones and what looks like them are refused: they have builders of their own.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: a visitor; ignored by the API where there is a `user_id`.
        group_id: the group that did it, instead of a person (newer reference only).
        properties: what is known of the event.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {
        "userId": user_id,
        "anonymousId": anonymous_id,
        "groupId": group_id,
        "event": name,
        "properties": properties,
    }
    return _build("track", own, common)


def page(
    name: str | None = None,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    category: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Somebody looked at a page (reference, Page).

    Args:
        name: the page's name. May be left out only where `properties["url"]` says which page it is.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: a visitor.
        category: the page's category.
        properties: `url`, `title`, `referrer`, `path`, `search`, ...
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _view("page", name, user_id, anonymous_id, category, properties, common)


def screen(
    name: str | None = None,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    category: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Somebody looked at a screen of an app (reference, Screen).

    Args:
        name: the screen's name. May be left out only where `properties["url"]` says which screen it is.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: a visitor.
        category: the screen's category.
        properties: what is known of the screen.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _view("screen", name, user_id, anonymous_id, category, properties, common)


def group(
    group_id: Id,
    *,
    user_id: Id = None,
    anonymous_id: Id = None,
    traits: Object = None,
    object_type_id: str | int | None = None,
    **common: Unpack[Common],
) -> Call:
    """Create or update a group (an object), and put a person in it (reference, Group).

    Args:
        group_id: the group.
        user_id: the person; without one the group alone is updated.
        anonymous_id: a visitor.
        traits: what is known of the group.
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left out. Sent at
            the top level and as `traits.object_type_id`, since the documents disagree.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {"userId": user_id, "anonymousId": anonymous_id, "groupId": group_id}
    return _build("group", own | {"traits": traits, "objectTypeId": object_type_id}, common)


def alias(*, user_id: Id, previous_id: Id, **common: Unpack[Common]) -> Call:
    """Merge two people into one; destructive (reference, Alias).

    Args:
        user_id: the person who stays.
        previous_id: the person who is merged into the other and then deleted.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _build("alias", {"userId": user_id, "previousId": previous_id}, common)


def delete_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Delete a person; destructive (reference, Semantic events, `User Deleted`).

    A later event creates the person again: `suppress_user` keeps them away.

    Args:
        user_id: the person, by id or email address.
        properties: sent along; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _build("delete_user", {"userId": user_id, "properties": properties}, common)


def suppress_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Delete a person and take nothing of them any more; destructive (reference, `User Suppressed`).

    Args:
        user_id: the person; the reference prefers an id to an email address.
        properties: sent along; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _build("suppress_user", {"userId": user_id, "properties": properties}, common)


def unsuppress_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Take a suppressed person's data again; needs `allow` (reference, `User Unsuppressed`).

    Args:
        user_id: the person.
        properties: sent along; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    return _build("unsuppress_user", {"userId": user_id, "properties": properties}, common)


def create_or_update_device(
    *,
    user_id: Id,
    token: str,
    device_type: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Add a device to a person (reference, `Device Created or Updated`).

    The token and type are sent as `context.device` and as `properties.device`, since the documents disagree. So each
    device has a context of its own, and with `batch.context: partition` a request of its own.

    Args:
        user_id: the person.
        token: the device's push token.
        device_type: `ios` or `android`.
        properties: attributes of the device.
        **common: see `Common`. `context["app"]["namespace"]` names the app.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {"userId": user_id, "token": token, "deviceType": device_type, "properties": properties}
    return _build("create_or_update_device", own, common)


def delete_device(
    *,
    user_id: Id,
    token: str,
    device_type: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Take a device from a person; destructive (reference, `Device Deleted`).

    Args:
        user_id: the person.
        token: the device's push token; sent in both places, as by `create_or_update_device`.
        device_type: `ios` or `android`.
        properties: sent along; the API needs none but the device.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {"userId": user_id, "token": token, "deviceType": device_type, "properties": properties}
    return _build("delete_device", own, common)


def delete_relationship(
    *,
    user_id: Id,
    object_id: Id,
    object_type_id: str | int | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Take a person out of an object; destructive (reference, `Relationship Deleted`).

    Args:
        user_id: the person.
        object_id: the object: what `group` calls `group_id`.
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left out.
        properties: sent along.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {"userId": user_id, "objectId": object_id, "objectTypeId": object_type_id, "properties": properties}
    return _build("delete_relationship", own, common)


def delete_object(
    *,
    object_id: Id,
    object_type_id: str | int | None = None,
    user_id: Id = None,
    anonymous_id: Id = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Delete an object; destructive (reference, `Object Deleted`).

    Args:
        object_id: the object: what `group` calls `group_id`.
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left out.
        user_id: who deleted it. Where no one is named, a constant anonymousId is sent, because the API needs one.
        anonymous_id: the same for a visitor.
        properties: sent along.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {"userId": user_id, "anonymousId": anonymous_id, "properties": properties}
    return _build("delete_object", own | {"objectId": object_id, "objectTypeId": object_type_id}, common)


def report_delivery_event(
    *,
    delivery_id: Id,
    metric: str,
    user_id: Id = None,
    anonymous_id: Id = None,
    recipient: str | None = None,
    reason: str | None = None,
    href: str | None = None,
    action_name: str | None = None,
    action_value: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Report what became of a message that Customer.io sent (reference, `Report Delivery Event`).

    Args:
        delivery_id: the message's delivery.
        metric: one of `shapes.DELIVERY_METRICS`, such as `opened`.
        user_id: the person; where no one is named, the delivery is sent as the anonymousId, as official SDKs do.
        anonymous_id: a visitor.
        recipient: the address or device that the message went to.
        reason: why it failed.
        href: the link that was clicked.
        action_name: the action that was taken.
        action_value: its value.
        properties: sent along.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {
        "userId": user_id,
        "anonymousId": anonymous_id,
        "deliveryId": delivery_id,
        "metric": metric,
        "recipient": recipient,
        "reason": reason,
        "href": href,
        "actionName": action_name,
        "actionValue": action_value,
        "properties": properties,
    }
    return _build("report_delivery_event", own, common)


def report_content_event(
    *,
    action_type: str,
    user_id: Id = None,
    anonymous_id: Id = None,
    content_id: int | None = None,
    template_id: int | None = None,
    content_type: str | None = None,
    action_name: str | None = None,
    action_value: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Report that somebody saw or clicked content (newer reference, `Report Content Event`).

    Args:
        action_type: `viewed_content` or `clicked_content`.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: a visitor.
        content_id: the content.
        template_id: its template.
        content_type: such as `in_app_content`.
        action_name: the action that was taken.
        action_value: its value.
        properties: sent along.
        **common: see `Common`.

    Raises:
        Rejected: it can never be delivered.
    """
    own = {
        "userId": user_id,
        "anonymousId": anonymous_id,
        "actionType": action_type,
        "contentId": content_id,
        "templateId": template_id,
        "contentType": content_type,
        "actionName": action_name,
        "actionValue": action_value,
        "properties": properties,
    }
    return _build("report_content_event", own, common)


def _view(
    call: str,
    name: str | None,
    user_id: Id,
    anonymous_id: Id,
    category: str | None,
    properties: Object,
    common: Common,
) -> Call:
    own = {"userId": user_id, "anonymousId": anonymous_id, "name": name, "category": category}
    return _build(call, own | {"properties": properties}, common)


_COMMON = {
    "timestamp": "timestamp",
    "message_id": "messageId",
    "context": "context",
    "integrations": "integrations",
}


def _build(name: str, own: dict[str, Any], common: Common) -> Call:
    """The call of one shape, filled with what the builder was given."""
    if unknown := common.keys() - _COMMON.keys():
        raise TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
    return assemble(CALLS[name], own | {_COMMON[parameter]: value for parameter, value in common.items()})
