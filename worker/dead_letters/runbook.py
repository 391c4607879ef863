"""What to make of each reason at three in the morning: whose fault it is, and what to do.

`docs/operations.md` has a section for each; a test holds the two and `model.REASONS` together.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from worker.core.reasons import REASONS


class Fault(StrEnum):
    """Who has to move before a replay can help."""

    DATA = "the producer's data"
    MAPPING = "the mapping"
    API = "Customer.io, or the way to it"
    WORKER = "the worker"
    ELSEWHERE = "a Python mapper, or another program"


class RunbookEntry(NamedTuple):
    """What a reason means.

    Attributes:
        meaning: a sentence.
        fault: whose.
        action: what to do, a sentence.
    """

    meaning: str
    fault: Fault
    action: str


_FIX_PRODUCER = "Fix the producer; a replay helps only if a mapping can read these records as they are."
_FIX_MAPPING = (
    "Fix the rule that `dlq show` names, try it with `dlq show` and `dlq replay --dry-run`, then replay."
)
_GUARD = (
    "If such events are not for Customer.io, leave them out with `when:`; else fix the producer or the expression. "
    "Then replay."
)
_FIX_MAPPER = "Fix the Python mapper, test it with `map`, then replay."
_FIX_SLOW = (
    "Make the mapper or expression that the log names in `mapping_interrupted` faster, or raise "
    "`limits.mapping_timeout`; then replay."
)
_REPORT = "Report it with the output of `dlq show` (masked); replay with a version that repairs it."

_ENTRIES: dict[str, tuple[Fault, str]] = {
    "EMPTY_VALUE": (Fault.DATA, _FIX_PRODUCER),
    "INVALID_JSON": (Fault.DATA, _FIX_PRODUCER),
    "NOT_AN_OBJECT": (Fault.DATA, _FIX_PRODUCER),
    "TOO_DEEP": (Fault.DATA, _FIX_PRODUCER),
    "UNMATCHED": (Fault.MAPPING, "Add a rule for the event, or say `unmatched: ignore`; then replay."),
    "EXPRESSION_FAILED": (Fault.MAPPING, _FIX_MAPPING),
    "MAPPING_TOO_SLOW": (
        Fault.MAPPING,
        _FIX_SLOW,
    ),
    "MAPPER_FAILED": (Fault.MAPPING, _FIX_MAPPER),
    "MAPPER_REJECTED": (Fault.MAPPING, "Ask the mapper's author what it rejects, and why it names no code."),
    "MAPPER_RETURNED_JUNK": (Fault.MAPPING, _FIX_MAPPER),
    "TOO_MANY_CALLS": (Fault.MAPPING, "Make fewer calls of one record, or split the event at its producer."),
    "NOT_A_CALL": (Fault.MAPPING, _FIX_MAPPER),
    "UNKNOWN_TYPE": (Fault.MAPPING, _FIX_MAPPER),
    "UNKNOWN_FIELD": (Fault.MAPPING, _FIX_MAPPER),
    "MISSING_ID": (Fault.DATA, _GUARD),
    "INVALID_ID": (Fault.DATA, _GUARD),
    "FORBIDDEN_ID": (Fault.DATA, _GUARD),
    "INEXACT_NUMBER": (
        Fault.DATA,
        "Have the producer send such numbers as text, or leave the field out of the rule.",
    ),
    "INVALID_NAME": (Fault.DATA, _GUARD),
    "RESERVED_NAME": (
        Fault.MAPPING,
        "Use the call that is meant, such as `call: delete_user`, or rename the event.",
    ),
    "NOT_ALLOWED": (
        Fault.MAPPING,
        "If the mapper may do that, list the call in the rule's `allow`; then replay.",
    ),
    "MISSING_FIELD": (Fault.DATA, _GUARD),
    "INVALID_TYPE": (Fault.MAPPING, _FIX_MAPPING),
    "INVALID_VALUE": (Fault.MAPPING, _FIX_MAPPING),
    "INVALID_TIMESTAMP": (Fault.DATA, _GUARD),
    "UNREADABLE_HEADERS": (
        Fault.DATA,
        "Fix the producer. The dead letter has no headers: a replay helps only if the rule reads none.",
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
        "An outage outlasted `delivery.give_up_after`, or something on the way drops this call: look, then replay.",
    ),
}

_BY_STATUS: dict[str, RunbookEntry] = {
    "HTTP_400": RunbookEntry(
        "The API refuses the call as wrong.",
        Fault.MAPPING,
        "Read the API's words (`dlq.errors` in `dlq show`), fix the mapping, then replay.",
    ),
    "HTTP_413": RunbookEntry(
        "The API refuses the call as too large.",
        Fault.MAPPING,
        "Send fewer or shorter fields, or lower `batch.max_call_bytes` to what the API takes; then replay.",
    ),
    "HTTP_422": RunbookEntry(
        "The API refuses the call's content.",
        Fault.MAPPING,
        "Read the API's words (`dlq.errors` in `dlq show`), fix the mapping, then replay.",
    ),
    "HTTP_429": RunbookEntry(
        "The API had no room for the call for as long as `delivery.give_up_after`.",
        Fault.API,
        "Lower `rate_limit.requests` (it is per replica), raise `give_up_after` or set it to null; then replay.",
    ),
    "HTTP_5xx": RunbookEntry(
        "The API failed with this call for `give_up_alone_after` while others passed, or for `give_up_after`.",
        Fault.API,
        "Replay some with `--limit`; if they fail again, ask Customer.io's support about the call.",
    ),
    "HTTP_xxx": RunbookEntry(
        "Something answered this call so again and again while others passed: as a rule not the API itself.",
        Fault.API,
        "Look at proxies and firewalls between the worker and the API; then replay.",
    ),
}
"""What the API answered: by status, by hundred, or any other."""

UNKNOWN = RunbookEntry(
    "A code of a Python mapper (`Reject`), or of Kafka Connect.",
    Fault.ELSEWHERE,
    "Look for the code in the mappers; a name such as DataException is a Kafka Connect connector's.",
)

RUNBOOK: dict[str, RunbookEntry] = {
    **{reason: RunbookEntry(REASONS[reason], *entry) for reason, entry in _ENTRIES.items()},
    **_BY_STATUS,
}
"""Every reason, and the patterns HTTP_5xx and HTTP_xxx."""


def entry_for(reason: str) -> RunbookEntry:
    """What to make of a reason; never fails, mappers choose codes of their own."""
    if reason in RUNBOOK:
        return RUNBOOK[reason]
    if re.fullmatch(r"HTTP_5\d\d", reason):
        return RUNBOOK["HTTP_5xx"]
    return RUNBOOK["HTTP_xxx"] if re.fullmatch(r"HTTP_\d{3}", reason) else UNKNOWN
