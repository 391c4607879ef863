"""Moves domain events from Kafka into the Customer.io Pipelines API.

Mapper authors import from here: `Event`, one builder for each call, and `Reject`.

The package, from the outside in; each room imports only from those below it:

    cli/             one file a command group: parses, calls, prints
    app.py           builds and wires everything; signals, exit code
    pipeline.py      the road a record takes: fetch, decode, map, encode, lane, deliver, commit
    replay.py        the same road for dead letters; `dead_letters/` says which of them wait, and why
    adapters/        one outside system a file: Kafka, the dead-letter topic, the Pipelines API, HTTP
    telemetry.py     everything the worker tells, one past-tense verb for each thing that happens
    settings         worker.yaml as one frozen tree
    ports.py         what the pipeline needs from the world
    mapping/         what users write, made runnable: rules, expressions, mappers, builders
    core/            what decides: no I/O, no clock, no tasks, no logging

`emulator/` stands in for the Pipelines API, `demo/` runs everything on one machine.
"""

from worker.mapping.call import Call
from worker.mapping.calls import Reject, alias, group, identify, page, screen, track
from worker.mapping.event import Event
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
