"""What a call must be, in the API's own shape. (Being written: the signatures hold.)"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from worker.core.model import DESTRUCTIVE_CALLS, SEMANTIC_EVENTS, Rejected, Stage

REJECT_IDS = frozenset({"null", "undefined", "none", "nan", "[object object]"})
"""Texts that are no one's id but what broken code writes, casefolded (contract.md section 3, `reject_ids`)."""

_CALL_NAMES = {event: name for name, event in SEMANTIC_EVENTS.items()}


def identity(value: object, field: str, reject_ids: Collection[str] = REJECT_IDS) -> str:
    """An id as text; raises Rejected(VALIDATE): MISSING_ID (null or blank), INVALID_ID, FORBIDDEN_ID, INEXACT_NUMBER."""
    found = optional_identity(value, field, reject_ids)
    if found is None:
        raise Rejected(Stage.VALIDATE, "MISSING_ID", f"{field} is missing or blank.")
    return found


def optional_identity(value: object, field: str, reject_ids: Collection[str] = REJECT_IDS) -> str | None:
    """As `identity`; None for null and for blank text."""
    if value is None:
        return None
    if type(value) is not str:
        value = _whole_number(value, field)
    bare = value.strip()
    if not bare:
        return None
    if bare.casefold() in reject_ids:
        raise Rejected(Stage.VALIDATE, "FORBIDDEN_ID", f"{field} holds one of the texts of reject_ids.")
    return value


def _whole_number(value: object, field: str) -> str:
    if type(value) is int and -(2**63) <= value < 2**64:
        return str(value)
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    raise Rejected(Stage.VALIDATE, "INVALID_ID", f"{field} is neither text nor a whole number.")


def call_name(call: Mapping[str, Any]) -> str:
    """What a call is called in rules and `allow`: its type, or `delete_user` for a `track` of `User Deleted`, ..."""
    if call["type"] == "track":
        return _CALL_NAMES.get(call.get("event", ""), "track")
    return str(call["type"])


def check_event_name(name: object, *, stage: Stage = Stage.VALIDATE) -> str:
    """An ordinary event's name; raises Rejected: INVALID_NAME, RESERVED_NAME (a reserved name or one that looks like it)."""
    if not isinstance(name, str) or not name.strip():
        raise Rejected(stage, "INVALID_NAME", "event must be text that is not blank.")
    return name


def validate(
    call: Any,
    *,
    allow: Collection[str] = frozenset(),
    strict: bool = True,
    reject_ids: Collection[str] = REJECT_IDS,
) -> dict[str, Any]:
    """The call as it is to be sent (timestamp in UTC, null fields dropped), or Rejected.

    Args:
        allow: which of `DESTRUCTIVE_CALLS` may pass.
        strict: refuse what the API refuses in strict mode: an identify by `traits.email` alone.
        reject_ids: casefolded texts that are no one's id.
    """
    if not isinstance(call, Mapping):
        raise Rejected(Stage.VALIDATE, "NOT_A_CALL", "A call is an object.")
    name = call_name(call)
    if name in DESTRUCTIVE_CALLS and name not in allow:
        raise Rejected(Stage.VALIDATE, "NOT_ALLOWED", f"{name} must be listed in the rule's `allow`.")
    return dict(call)
