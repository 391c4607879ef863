"""Moves domain events from Kafka into the Customer.io Pipelines API.

Mapper authors import from here: `Event`, one builder for each call, and `Reject`.
"""

from worker.mapping.assembly import Call
from worker.mapping.calls import Reject, alias, group, identify, page, screen, track
from worker.mapping.mappers import Event
from worker.mapping.semantic_calls import (
    create_or_update_device,
    delete_device,
    delete_object,
    delete_relationship,
    delete_user,
    report_content_event,
    report_delivery_event,
    suppress_user,
    unsuppress_user,
)

__all__ = [
    "Call",
    "Event",
    "Reject",
    "alias",
    "create_or_update_device",
    "delete_device",
    "delete_object",
    "delete_relationship",
    "delete_user",
    "group",
    "identify",
    "page",
    "report_content_event",
    "report_delivery_event",
    "screen",
    "suppress_user",
    "track",
    "unsuppress_user",
]
