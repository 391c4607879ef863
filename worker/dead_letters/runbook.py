"""For each reason: what it means, where the fault is, and what to do.

`docs/operations.md` has a section for each reason; `tests/test_operations.py` compares both with `reasons.REASONS`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from worker.core.reasons import REASONS


class Fault(StrEnum):
    """Where the fault is: what has to be fixed before a replay can succeed."""

    DATA = "the producer's data"
    MAPPING = "the mapping"
    API = "Customer.io, or the network in between"
    WORKER = "the worker"
    ELSEWHERE = "a Python mapper, or another program"


class RunbookEntry(NamedTuple):
    """What a reason means, and what to do.

    Attributes:
        meaning: one sentence.
        fault: where the fault is.
        action: what to do, in one or two sentences.
    """

    meaning: str
    fault: Fault
    action: str


_FIX_PRODUCER = "Fix the producer; a replay helps only if a mapping can read these records as they are."
_ASK_REGISTRY = (
    "Check that `schema_registry.url` is the registry that the producer uses, and that the schema was not deleted; "
    "once the registry has it, replay."
)
_NOT_OF_SCHEMA = (
    "The detail says what does not fit. If the producer's bytes are right, fix {} in the mapping, "
    "then replay."
)
_FIX_MAPPING = (
    "Fix the rule that `dlq show` names, try it with `dlq show` and `dlq replay --dry-run`, then replay."
)
_GUARD = (
    "If such events are not for Customer.io, exclude them with `when:`; otherwise fix the producer or the expression. "
    "Then replay."
)
_FIX_MAPPER = "Fix the Python mapper, test it with `map`, then replay."
_FIX_SLOW = (
    "Make the mapper or expression that the log names in `mapping_interrupted` faster, or raise "
    "`limits.mapping_timeout`; then replay."
)
_REPORT = "Report it with the output of `dlq show` (masked); replay with a version that fixes it."

_ENTRIES: dict[str, tuple[Fault, str]] = {
    "EMPTY_VALUE": (Fault.DATA, _FIX_PRODUCER),
    "INVALID_JSON": (Fault.DATA, _FIX_PRODUCER),
    "NOT_AN_OBJECT": (Fault.DATA, _FIX_PRODUCER),
    "INVALID_ENVELOPE": (
        Fault.MAPPING,
        "The detail says what was expected. Fix `envelope:` in the mapping, then replay; or fix the producer.",
    ),
    "INVALID_UTF8": (Fault.MAPPING, "Set the `format` or `key_format` that they have; then replay."),
    "INVALID_AVRO": (Fault.MAPPING, _NOT_OF_SCHEMA.format("`format`, `schema_id` or `schema`")),
    "INVALID_PROTOBUF": (
        Fault.MAPPING,
        _NOT_OF_SCHEMA.format("`format`, `schema_id`, `schema` or `message`"),
    ),
    "SCHEMA_NOT_FOUND": (
        Fault.DATA,
        _ASK_REGISTRY,
    ),
    "TOO_DEEP": (Fault.DATA, _FIX_PRODUCER),
    "UNMATCHED": (Fault.MAPPING, "Add a rule for the event, or set `unmatched: ignore`; then replay."),
    "EXPRESSION_FAILED": (Fault.MAPPING, _FIX_MAPPING),
    "MAPPING_TOO_SLOW": (Fault.MAPPING, _FIX_SLOW),
    "MAPPER_FAILED": (Fault.MAPPING, _FIX_MAPPER),
    "MAPPER_REJECTED": (Fault.MAPPING, "Ask the mapper's author what it rejects, and have it give a code."),
    "MAPPER_RETURNED_JUNK": (Fault.MAPPING, _FIX_MAPPER),
    "TOO_MANY_CALLS": (
        Fault.MAPPING,
        "Make fewer calls from one record, or split the event at its producer.",
    ),
    "NOT_A_CALL": (Fault.MAPPING, _FIX_MAPPER),
    "UNKNOWN_TYPE": (Fault.MAPPING, _FIX_MAPPER),
    "UNKNOWN_FIELD": (Fault.MAPPING, _FIX_MAPPER),
    "MISSING_ID": (Fault.DATA, _GUARD),
    "INVALID_ID": (Fault.DATA, _GUARD),
    "FORBIDDEN_ID": (Fault.DATA, _GUARD),
    "INEXACT_NUMBER": (
        Fault.DATA,
        "Have the producer send such numbers as strings, or remove the field from the rule.",
    ),
    "INVALID_NAME": (Fault.DATA, _GUARD),
    "RESERVED_NAME": (
        Fault.MAPPING,
        "Use the intended call, such as `call: delete_user`, or rename the event.",
    ),
    "RESERVED_PROPERTY": (
        Fault.MAPPING,
        "Leave it out, or write `allow_overrides` in the rule if campaigns are meant to use it; then replay.",
    ),
    "NOT_ALLOWED": (
        Fault.MAPPING,
        "If the rule is meant to make this call, add it to the rule's `allow`; then replay.",
    ),
    "MISSING_FIELD": (Fault.DATA, _GUARD),
    "INVALID_TYPE": (Fault.MAPPING, _FIX_MAPPING),
    "INVALID_VALUE": (Fault.MAPPING, _FIX_MAPPING),
    "INVALID_UNSUBSCRIBED": (
        Fault.DATA,
        "Turn the value into true or false in the rule, such as `unsubscribed: opt_out == 'yes'`; then replay.",
    ),
    "LIMIT_EXCEEDED": (
        Fault.DATA,
        "Send less, or set `limits.profile: warn`; then replay.",
    ),
    "INVALID_TIMESTAMP": (Fault.DATA, _GUARD),
    "UNREADABLE_HEADERS": (
        Fault.DATA,
        "Fix the producer. The dead letter has no headers: a replay succeeds only if the rule reads none.",
    ),
    "INVALID_TEXT": (Fault.DATA, _FIX_PRODUCER),
    "UNENCODABLE": (Fault.MAPPING, _FIX_MAPPER),
    "CALL_TOO_LARGE": (
        Fault.MAPPING,
        "Send fewer or shorter fields: the API takes 32,000 bytes a call. Then replay.",
    ),
    "UNEXPECTED_FAULT": (Fault.WORKER, _REPORT),
    "NO_ANSWER": (
        Fault.API,
        "An outage outlasted `delivery.give_up_after`, or a proxy or firewall drops this call: check, then replay.",
    ),
}

_BY_STATUS: dict[str, RunbookEntry] = {
    "HTTP_400": RunbookEntry(
        "The API rejects the call as invalid.",
        Fault.MAPPING,
        "Read the API's error messages (`dlq.errors` in `dlq show`), fix the mapping, then replay.",
    ),
    "HTTP_413": RunbookEntry(
        "The API rejects the call as too large.",
        Fault.MAPPING,
        "Send fewer or shorter fields, or lower `batch.max_call_bytes` to the API's limit; then replay.",
    ),
    "HTTP_422": RunbookEntry(
        "The API rejects the call's content.",
        Fault.MAPPING,
        "Read the API's error messages (`dlq.errors` in `dlq show`), fix the mapping, then replay.",
    ),
    "HTTP_429": RunbookEntry(
        "The API throttled the call for longer than `delivery.give_up_after`.",
        Fault.API,
        "Lower `rate_limit.requests` (it is per replica), raise `give_up_after` or set it to null; then replay.",
    ),
    "HTTP_5xx": RunbookEntry(
        "The API failed on this call for `give_up_alone_after` while others passed, or for `give_up_after`.",
        Fault.API,
        "Replay a few with `--limit`; if they fail again, ask Customer.io's support about the call.",
    ),
    "HTTP_xxx": RunbookEntry(
        "This call kept getting an unexpected response while others passed, usually not from the API itself.",
        Fault.API,
        "Check proxies and firewalls between the worker and the API; then replay.",
    ),
}
"""Reasons that name the API's response: an exact status, any 5xx, any other."""

UNKNOWN = RunbookEntry(
    "A code defined by a Python mapper (`Reject`), or an exception of Kafka Connect.",
    Fault.ELSEWHERE,
    "Search the mappers for the code; a name such as DataException comes from a Kafka Connect connector.",
)

RUNBOOK: dict[str, RunbookEntry] = {
    **{reason: RunbookEntry(REASONS[reason], *entry) for reason, entry in _ENTRIES.items()},
    **_BY_STATUS,
}
"""Every reason, and the patterns HTTP_5xx and HTTP_xxx."""


def entry_for(reason: str) -> RunbookEntry:
    """The entry for a reason. Any code has one, because mappers define their own: unknown ones get `UNKNOWN`."""
    return RUNBOOK.get(section_of(reason), UNKNOWN)


def section_of(reason: str) -> str:
    """The heading in `docs/operations.md` under which a reason stands; for a mapper's own code the runbook's own."""
    if reason in RUNBOOK:
        return reason
    if re.fullmatch(r"HTTP_5\d\d", reason):
        return "HTTP_5xx"
    return "HTTP_xxx" if re.fullmatch(r"HTTP_\d{3}", reason) else "Runbook"
