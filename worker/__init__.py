"""Moves domain events from Kafka into the Customer.io Pipelines API.

Mapper authors import from here: `Event`, one builder for each call, and `Reject`.

The packages, from the outside in; each imports only from those below it:

    cli/            one file a command group: parses arguments, calls the programs, prints results
    programs/       whole programs: the worker, the replay of dead letters, the checks
    adapters/       one folder for each external system: kafka, pipelines_api, schema_registry, dead_letter_topic, http
    pipeline/       the path of a record: fetch, map, deliver, commit; the interfaces that adapters implement
    telemetry/      everything the worker reports: one past-tense verb for each thing that happens
    settings/       worker.yaml as one frozen tree
    dead_letters/   the contents and state of dead letters, and what a replay would do with them; no I/O
    mapping/        mapping files and mappers, loaded and compiled
    formats/        from a record's bytes to JSON values
    customerio/     facts about the API: reserved names and fields, limits, remarks, semantic events
    documents/      YAML with positions and environment variables: for settings and mappings
    core/           all decisions: order, batches, retries, ids; no I/O, no clock, no tasks, no logging

`emulator/` stands in for the Pipelines API, `demo/` runs everything on one machine, `testing.py` is for the
tests of users' mappings.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.mapping.calls.builders import Reject, alias, group, identify, page, screen, track
    from worker.mapping.calls.call import Call
    from worker.mapping.calls.semantic_builders import (
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
    from worker.mapping.mappers.event import Event

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

_MODULES = (
    "worker.mapping.calls.builders",
    "worker.mapping.calls.semantic_builders",
    "worker.mapping.calls.call",
    "worker.mapping.mappers.event",
)


def __getattr__(name: str) -> Any:
    """Load what mapper authors import when it is asked for: the program must catch signals before that takes time."""
    if name in __all__:
        for module in map(import_module, _MODULES):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
