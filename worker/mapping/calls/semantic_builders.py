"""The builders of the nine semantic calls: each is a `track` with a reserved event name.

Customer.io acts on them: it deletes or suppresses a person, or adds a device. Those in
`customerio.reference.DESTRUCTIVE_CALLS` are allowed only from a mapper whose rule lists them in `allow`.
"""
# ruff: noqa: PLR0913 - a builder has a parameter for each field of its call

from __future__ import annotations

from typing import Unpack

from worker.mapping.calls.builders import Common, Id, Object, builder
from worker.mapping.calls.call import Call


@builder
def delete_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Delete a person; destructive (reference, Semantic events, `User Deleted`).

    A later event creates the person again; `suppress_user` prevents that.

    Args:
        user_id: the person, by id or email address.
        properties: optional; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def suppress_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Delete a person and block all further data about them; destructive (reference, `User Suppressed`).

    Args:
        user_id: the person; the reference prefers an id to an email address.
        properties: optional; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def unsuppress_user(*, user_id: Id, properties: Object = None, **common: Unpack[Common]) -> Call:
    """Accept data about a suppressed person again; needs `allow` (reference, `User Unsuppressed`).

    Args:
        user_id: the person.
        properties: optional; the API needs none.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
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
    device has its own context, and with `batch.context: partition` its own request.

    Args:
        user_id: the person.
        token: the device's push token.
        device_type: `ios` or `android`.
        properties: attributes of the device.
        **common: see `Common`. `context["app"]["namespace"]` names the app.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def delete_device(
    *,
    user_id: Id,
    token: str,
    device_type: str | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Remove a device from a person; destructive (reference, `Device Deleted`).

    Args:
        user_id: the person.
        token: the device's push token; sent in both places, as by `create_or_update_device`.
        device_type: `ios` or `android`.
        properties: optional; the API needs only the device.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
def delete_relationship(
    *,
    user_id: Id,
    object_id: Id,
    object_type_id: str | int | None = None,
    properties: Object = None,
    **common: Unpack[Common],
) -> Call:
    """Remove a person from an object; destructive (reference, `Relationship Deleted`).

    Args:
        user_id: the person.
        object_id: the object: what `group` calls `group_id`.
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left
            out.
        properties: optional.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
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
        object_type_id: the kind of object, a whole number from 1 on; Customer.io takes 1 where it is left
            out.
        user_id: who deleted it. Without a person, a constant anonymousId is sent, because the API requires an
            id.
        anonymous_id: the same for an anonymous visitor.
        properties: optional.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
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
    """Report the delivery status of a message that Customer.io sent (reference, `Report Delivery Event`).

    Args:
        delivery_id: the message's delivery.
        metric: `delivered`, `opened`, `clicked`, `converted`, `spammed`, `bounced`, `dropped` or `deferred`.
        user_id: the person. Without one, the delivery's id is sent as the anonymousId, as official SDKs do.
        anonymous_id: an anonymous visitor.
        recipient: the address or device that the message went to.
        reason: why the delivery failed.
        href: the link that was clicked.
        action_name: the action that was taken.
        action_value: its value.
        properties: optional.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError


@builder
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
    """Report that a person viewed or clicked content (newer reference, `Report Content Event`).

    Args:
        action_type: `viewed_content` or `clicked_content`.
        user_id: the person. This or `anonymous_id` is needed.
        anonymous_id: an anonymous visitor.
        content_id: the content.
        template_id: its template.
        content_type: such as `in_app_content`.
        action_name: the action that was taken.
        action_value: its value.
        properties: optional.
        **common: see `Common`.

    Raises:
        Rejected: the call is invalid and can never be delivered.
    """
    raise NotImplementedError
