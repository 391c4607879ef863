"""Checks that a call in the API's format is valid (Customer.io Pipelines API reference).

Where the documents disagree, a call must be valid under all of them. A rule's generated code makes these checks while
it builds a call; `validate` checks complete calls, from Python mappers and in a preview. Times are checked by
`timestamps`, and what Customer.io's own events need by `semantic`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any, NoReturn

from worker.core.reasons import Rejected, Stage
from worker.customerio.meaning import check_unsubscribed
from worker.customerio.reference import ID_FIELDS, PERSON_IDS
from worker.customerio.semantic import is_object_type

REJECT_IDS = frozenset({"null", "undefined", "none", "nan", "[object object]"})
"""Strings that are never real ids but come from faulty code, casefolded (docs/mapping.md, `reject_ids`)."""

MAX_MESSAGE_ID = 100
"""Characters. This is Segment's limit; Customer.io publishes none."""

CHANNELS = ("browser", "server", "mobile")
"""What `context.channel` may be."""

_IDS = frozenset(ID_FIELDS)
_TEXTS = frozenset({"event", "name", "category", "objectTypeId", "messageId"})
_OBJECTS = frozenset({"traits", "properties", "context", "integrations"})
_COMMON = {"type", *PERSON_IDS, "context", "integrations", "timestamp", "originalTimestamp", "messageId"}

FIELDS = {
    "identify": _COMMON | {"traits"},
    "track": _COMMON | {"event", "properties", "groupId"},
    "page": _COMMON | {"name", "category", "properties"},
    "screen": _COMMON | {"name", "category", "properties"},
    "group": _COMMON | {"groupId", "traits", "objectTypeId"},
    "alias": _COMMON | {"previousId"},
}
"""The fields of each type. Others are refused, because the API would silently ignore them."""

_NOT_SENT = frozenset({"sentAt", "receivedAt", "version"})
"""Common fields of the reference that are removed from a call.

With `sentAt` the API would shift the time of a replayed event. The API itself sets the other two.
"""

_TAKEN = {type_: fields | _NOT_SENT for type_, fields in FIELDS.items()}

_NEEDS = {
    "identify": (PERSON_IDS,),
    "track": ((*PERSON_IDS, "groupId"), ("event",)),
    "page": (PERSON_IDS,),
    "screen": (PERSON_IDS,),
    "group": (("groupId",),),
    "alias": (("userId",), ("previousId",)),
}
"""Of each of these tuples a call must have at least one field."""

_HINTS = {
    "writeKey": "the worker sends its own key",
    "name": "a track's name is its `event`",
    "properties": "this type takes `traits`",
    "traits": "this type takes `properties`",
    "event": "only a track has one",
    "user_id": "it is `userId`",
    "anonymous_id": "it is `anonymousId`",
}

TYPED_TRAITS = {"identify": ("email", "unsubscribed"), "group": ("object_type_id", "objectTypeId")}
"""Traits that Customer.io itself reads, by the type of the call; all others may be any JSON.

`email` identifies the person, `unsubscribed` stops messages (reference, Identify). The other two are the object type;
the destination reads both spellings (the reference, and the newer one).
"""

_WORDS: dict[type, str] = {str: "text", bool: "true or false", dict: "an object", list: "a list"}
_CONTEXT: dict[str, Any] = {
    "active": bool,
    "app": {"name": str, "version": str, "build": str, "namespace": str},
    "campaign": {"name": str, "source": str, "medium": str, "term": str, "content": str},
    "channel": str,
    "device": {
        "id": str,
        "advertisingId": str,
        "manufacturer": str,
        "model": str,
        "name": str,
        "token": str,
        "type": str,
        "version": str,
    },
    "ip": str,
    "library": {"name": str, "version": str},
    "locale": str,
    "network": {"bluetooth": bool, "cellular": bool, "wifi": bool, "carrier": str},
    "os": {"name": str, "version": str},
    "page": {
        "keywords": list,
        "name": str,
        "path": str,
        "referrer": str,
        "search": str,
        "title": str,
        "url": str,
    },
    "timezone": str,
    "userAgent": str,
}
"""The documented types of `context` (reference, Common fields); other keys may have any type."""


def identity(value: object, field: str, reject_ids: Collection[str] = REJECT_IDS) -> str:
    """An id as text: text as it stands, a whole number as its exact decimal text.

    Args:
        value: what was found.
        field: the API's name of the id, for the rejection's detail.
        reject_ids: strings that are never real ids, casefolded.

    Raises:
        Rejected: with stage `validate`: `MISSING_ID` (null, or blank text), `INVALID_ID` (neither text nor a
            whole number), `FORBIDDEN_ID` (one of `reject_ids`), `INEXACT_NUMBER` (digits may have been lost
            on its way here).
    """
    found = optional_identity(value, field, reject_ids)
    if found is None:
        _refuse("MISSING_ID", f"{field} is missing or blank.")
    return found


def optional_identity(value: object, field: str, reject_ids: Collection[str] = REJECT_IDS) -> str | None:
    """As `identity`, but None for null and for blank text."""
    if value is None:
        return None
    text = value if isinstance(value, str) else _decimal(value, field)
    bare = text.strip()
    if not bare:
        return None
    if bare.casefold() in reject_ids:
        _refuse("FORBIDDEN_ID", f"{field} is one of the texts in reject_ids.")
    return text


def validate(call: Any, *, strict: bool = True, reject_ids: Collection[str] = REJECT_IDS) -> dict[str, Any]:
    """Validate a call; returns a new dict without null texts, blank ids and fields that the API sets.

    Ids must be strings here: a complete call is not converted. Its times, and what Customer.io's own events need, are
    not checked.

    Args:
        call: anything.
        strict: refuse an `identify` by `traits.email` alone, which the API refuses only in strict mode.
        reject_ids: strings that are never real ids, casefolded.

    Raises:
        Rejected: with stage `validate`: `NOT_A_CALL`, `UNKNOWN_TYPE`, `UNKNOWN_FIELD`, `MISSING_ID`,
            `MISSING_FIELD`, `INVALID_ID`, `FORBIDDEN_ID`, `INVALID_TYPE`, `INVALID_VALUE`, `INVALID_UNSUBSCRIBED`.
    """
    if not isinstance(call, (dict, Mapping)):  # dict first: testing for Mapping is slower
        _refuse("NOT_A_CALL", "A call must be an object.")
    type_ = call.get("type")
    if not isinstance(type_, str) or type_ not in FIELDS:
        _refuse("UNKNOWN_TYPE", f"type must be one of {', '.join(FIELDS)}.")
    if not _TAKEN[type_].issuperset(call):
        _refuse_unknown(type_, call.keys() - _TAKEN[type_])
    result = {
        field: kept for field, value in call.items() if (kept := _field(field, value, reject_ids)) is not None
    }
    if not strict and _is_by_email(result):
        result.setdefault("userId", "")
    else:
        _check_needs(type_, result)
    check_shared(result)
    check_traits(result)
    return result


def check_shared(call: Mapping[str, Any]) -> None:
    """Check `context` and `integrations`, which the calls of a request share, if the call has them.

    Raises:
        Rejected: with stage `validate`: `INVALID_TYPE` or `INVALID_VALUE`.
    """
    if context := call.get("context"):
        _check_context(context, _CONTEXT, "context")
    if integrations := call.get("integrations"):
        _check_integrations(integrations)


def check_traits(call: dict[str, Any]) -> None:
    """Check the traits that Customer.io itself reads, see `TYPED_TRAITS`; null counts as absent.

    A null `unsubscribed` is left out of the call, because the API reads it as subscribed.

    Raises:
        Rejected: with stage `validate`: `INVALID_TYPE`, `INVALID_VALUE` or `INVALID_UNSUBSCRIBED`.
    """
    traits = call.get("traits")
    if not traits:
        return
    if call["type"] == "identify":
        if not isinstance(traits.get("email", ""), (str, NoneType)):
            _refuse("INVALID_TYPE", "traits.email must be text.")
        if traits.get("unsubscribed") is not None:
            check_unsubscribed(traits["unsubscribed"])
        elif "unsubscribed" in traits:
            # A copy: the traits may belong to the event or the mapper.
            call["traits"] = {name: value for name, value in traits.items() if name != "unsubscribed"}
    elif call["type"] == "group":
        for field in TYPED_TRAITS["group"]:
            if traits.get(field) is not None and not is_object_type(traits[field]):
                _refuse("INVALID_VALUE", f"traits.{field} must be a whole number of 1 or more.")


def _refuse(reason: str, detail: str) -> NoReturn:
    raise Rejected(Stage.VALIDATE, reason, detail)


def _refuse_unknown(type_: str, unknown: Collection[object]) -> NoReturn:
    """Name the field only if it is a known word; others may be data of the record."""
    known = min((field for field in unknown if isinstance(field, str) and field in _HINTS), default=None)
    if known is None:
        _refuse("UNKNOWN_FIELD", f"{type_} takes only these fields: {', '.join(sorted(FIELDS[type_]))}.")
    _refuse("UNKNOWN_FIELD", f"{type_} does not take {known}: {_HINTS[known]}.")


def _decimal(value: object, field: str) -> str:
    """A whole number's exact decimal text."""
    if type(value) is int:
        if -(2**63) <= value < 2**64:
            return str(value)
        _refuse(
            "INEXACT_NUMBER",
            f"{field} is an integer outside 64 bits, which JSON decoders cannot hold exactly.",
        )
    if type(value) is float and value.is_integer():
        if abs(value) < 2**53:
            return str(int(value))
        _refuse(
            "INEXACT_NUMBER",
            f"{field} is a floating-point number of 2^53 or more, whose exact digits are unknown.",
        )
    _refuse("INVALID_ID", f"{field} is neither text nor a whole number.")


def _field(field: str, value: Any, reject_ids: Collection[str]) -> Any:
    """Check one top-level field of a call; None if it counts as absent."""
    if field in _OBJECTS:
        if not isinstance(value, dict):
            _refuse("INVALID_TYPE", f"{field} must be an object.")
    elif field in _IDS:
        if value is not None and not isinstance(value, str):
            _refuse("INVALID_ID", f"{field} must be text; the builders turn whole numbers into text.")
        return optional_identity(value, field, reject_ids)
    elif field in _TEXTS and value is not None:
        _check_text(field, value)
    return None if field in _NOT_SENT else value


def _check_text(field: str, value: Any) -> None:
    if not isinstance(value, str):
        _refuse("INVALID_TYPE", f"{field} must be text.")
    if not value.strip():
        _refuse("MISSING_FIELD", f"{field} is blank.")
    if field == "messageId" and len(value) > MAX_MESSAGE_ID:
        _refuse(
            "INVALID_VALUE", f"messageId has {len(value)} characters; at most {MAX_MESSAGE_ID} are allowed."
        )
    if field == "objectTypeId" and not is_object_type(value):
        _refuse("INVALID_VALUE", "objectTypeId must be text with a whole number of 1 or more.")


def _is_by_email(call: Mapping[str, Any]) -> bool:
    """Whether this identifies a person by the email trait alone.

    Documented (reference, Identify), but refused in strict mode.
    """
    if call["type"] != "identify" or "userId" in call or "anonymousId" in call:
        return False
    email = call.get("traits", {}).get("email")
    return isinstance(email, str) and bool(email.strip())


def _check_needs(type_: str, call: Mapping[str, Any]) -> None:
    for needed in _NEEDS[type_]:
        if not any(field in call for field in needed):
            reason = "MISSING_ID" if _IDS.issuperset(needed) else "MISSING_FIELD"
            _refuse(reason, f"{type_} needs {' or '.join(needed)}.")
    if type_ in ("page", "screen") and "name" not in call:
        url = call.get("properties", {}).get("url")
        if not isinstance(url, str) or not url.strip():
            _refuse("MISSING_FIELD", f"{type_} needs name, or properties.url.")


def _check_context(context: Mapping[str, Any], types: Mapping[str, Any], path: str) -> None:
    """The documented keys have their documented types; null counts as absent."""
    for key, value in context.items():
        wanted = types.get(key)
        if wanted is None or value is None:
            continue
        kind: Any = dict if isinstance(wanted, dict) else wanted
        if not isinstance(value, kind):
            _refuse("INVALID_TYPE", f"{path}.{key} must be {_WORDS[kind]}.")
        if kind is dict:
            _check_context(value, wanted, f"{path}.{key}")
        elif key == "channel" and value not in CHANNELS:
            _refuse("INVALID_VALUE", f"{path}.channel must be one of {', '.join(CHANNELS)}.")
        elif kind is list and not all(isinstance(item, str) for item in value):
            _refuse("INVALID_TYPE", f"{path}.{key} must be a list of text values.")


def _check_integrations(integrations: Mapping[str, Any]) -> None:
    """Each destination is switched on or off, or given options as SDKs do."""
    if not all(isinstance(value, (bool, dict)) for value in integrations.values()):
        _refuse("INVALID_TYPE", "Each value in integrations must be true, false or an object.")
