"""CloudEvents in both modes of the Kafka protocol binding.

In structured mode the value is one JSON object with attributes and `data`; in binary mode the value is the data, and
each attribute is a header: `ce_id`, `ce_source`, ..., and `content-type` for `datacontenttype`. The event is the data.

Attributes whose type is checked are those of the specification. Extensions are taken as they come.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from worker.core.reasons import Rejected
from worker.core.record_reading import UNREADABLE, RecordHeaders, refuse_headers
from worker.formats.envelopes.unwrapped import TYPES, Unwrapped, refuse
from worker.formats.json_values import decode

REQUIRED = ("specversion", "id", "source", "type")
OPTIONAL = ("datacontenttype", "dataschema", "subject", "time")
VERSIONS = frozenset({"1.0", "0.3"})
"""The values of `specversion` whose attributes are those above (0.3 has the same names for them)."""

DATA = frozenset({"data", "data_base64"})
"""The members of a structured event that are not attributes."""

STRUCTURED = "application/cloudevents+json"
CONTENT_TYPE = "content-type"
PREFIX = "ce_"


class CloudEvents:
    """See `unwrapped.Envelope`.

    Args:
        of_json: whether data is JSON in binary mode, so that another content type is refused.
    """

    root: str | None = "_ce"
    fields: tuple[str, ...] = REQUIRED + OPTIONAL
    json_keys: bool = False
    tombstones_on_request: bool = False
    defaults: Mapping[str, str] = {"messageId": "join('/', [_ce.source, _ce.id])", "timestamp": "_ce.time"}
    expected: str = "expected one event whose data is an object, and no batch"

    def __init__(self, *, of_json: bool = True) -> None:
        self._of_json = of_json

    def _check_content_type(self, named: Mapping[str, bytes | None]) -> None:
        _check_content_type(named, of_json=self._of_json)

    def check(self, headers: RecordHeaders) -> None:
        """See `Envelope.check`."""
        named = _by_name(headers)
        if not _has_structured_type(named) and f"{PREFIX}specversion" in named:
            self._check_content_type(named)

    def unwrap(
        self, value: dict[str, Any], headers: RecordHeaders, columns: Collection[str] | None = None
    ) -> Unwrapped:
        """The data. See `Envelope.unwrap`."""
        del columns
        named = _by_name(headers)
        if _is_structured(value, named):
            return _structured(value)
        self._check_content_type(named)
        about = _attributes(named)
        _refuse_second(value)
        return Unwrapped(value, about)

    def of_tombstone(self, headers: RecordHeaders) -> Unwrapped:
        """A tombstone has the attributes of its headers: an event without data in binary mode is one."""
        named = _by_name(headers)
        about = _attributes(named) if f"{PREFIX}specversion" in named else None
        return Unwrapped(about=about, tombstone=True)

    def key(self, key: Any) -> Any:
        """The key as it is: CloudEvents wraps no keys."""
        return key


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether a content type is that of JSON: `*/json` or `*/*+json`."""
    return media_type(content_type).endswith(("/json", "+json"))


def _by_name(headers: RecordHeaders) -> dict[str, bytes | None]:
    """The headers by name; the last of those with one name."""
    if headers is UNREADABLE:
        refuse_headers()
    named = dict(headers)
    types = {value for name, value in headers if name == CONTENT_TYPE}
    if len(types) > 1:
        refuse("The record has two headers `content-type` that differ: expected one.")
    return named


def _text(named: Mapping[str, bytes | None], name: str) -> str | None:
    """A header's text; None if there is none, or if it is not UTF-8."""
    value = named.get(name)
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _has_structured_type(named: Mapping[str, bytes | None]) -> bool:
    """Whether the content type is that of a structured event.

    Raises:
        Rejected: `INVALID_ENVELOPE`: that of a batch, or of an event that is not JSON.
    """
    found = media_type(_text(named, CONTENT_TYPE) or "")
    if found != STRUCTURED and found.startswith("application/cloudevents"):
        what = "a batch" if "batch" in found else "an event that is not JSON"
        refuse(f"The content type is that of {what}: expected `{STRUCTURED}`, one event a record.")
    return found == STRUCTURED


def _is_structured(value: dict[str, Any], named: Mapping[str, bytes | None]) -> bool:
    """Whether a record is a structured event, and not a binary one; its content type decides.

    Raises:
        Rejected: `INVALID_ENVELOPE`: it is neither.
    """
    if _has_structured_type(named):
        return True
    if f"{PREFIX}specversion" in named:
        return False
    if named.get(CONTENT_TYPE) is not None or not all(name in value for name in REQUIRED):
        _refuse_others()
    return True


def _refuse_others() -> NoReturn:
    refuse(
        f"The record is no CloudEvent: expected the content type `{STRUCTURED}`, headers `ce_specversion`, `ce_id`, "
        "`ce_source` and `ce_type`, or an object with these attributes and no content type."
    )


def _structured(value: dict[str, Any]) -> Unwrapped:
    about = {name: each for name, each in value.items() if name not in DATA and each is not None}
    _check_attributes(about)
    if value.get("data_base64") is not None:
        if value.get("data") is not None:
            refuse("The event has both `data` and `data_base64`: expected one of them.")
        return Unwrapped(_refuse_second(_decoded(value["data_base64"], about)), about)
    data = value.get("data")
    if data is None:
        return Unwrapped({}, about)
    if type(data) is not dict:
        refuse(f"`data` is {TYPES[type(data)]}: expected an object.")
    return Unwrapped(_refuse_second(data), about)


def _decoded(text: Any, about: Mapping[str, Any]) -> dict[str, Any]:
    """The event in `data_base64`."""
    if not is_json(about.get("datacontenttype", "application/json")):
        refuse("The event has `data_base64` of a content type that is not JSON.")
    if type(text) is not str:
        refuse(f"`data_base64` is {TYPES[type(text)]}: expected text.")
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        refuse("`data_base64` is not base64.")
    try:
        return decode(data)
    except Rejected:
        refuse("`data_base64` does not hold a JSON object.")


def _check_content_type(named: Mapping[str, bytes | None], *, of_json: bool) -> None:
    """Refuse data in binary mode that claims to be two things, or not to be JSON where it must be."""
    content_type = _text(named, CONTENT_TYPE)
    second = _text(named, f"{PREFIX}datacontenttype")
    if of_json and content_type is not None and not is_json(content_type):
        refuse("The content type of the data is not JSON: expected `application/json`.")
    if second is not None and (content_type is None or media_type(second) != media_type(content_type)):
        refuse(
            "`ce_datacontenttype` is not the header `content-type`, which gives the type of the data: leave it out."
        )


def _attributes(named: Mapping[str, bytes | None]) -> dict[str, Any]:
    """The attributes in the headers of a binary event."""
    found = {
        name.removeprefix(PREFIX): _text(named, name)
        for name, value in named.items()
        if name.startswith(PREFIX) and value is not None
    }
    found["datacontenttype"] = _text(named, CONTENT_TYPE)
    about = {name: text for name, text in found.items() if text is not None}
    _check_attributes(about)
    return about


def _check_attributes(about: Mapping[str, Any]) -> None:
    for name in REQUIRED:
        if name not in about:
            refuse(f"The event has no attribute `{name}`: expected text.")
    for name in (*REQUIRED, *OPTIONAL):
        if name in about and type(about[name]) is not str:
            refuse(f"The attribute `{name}` is {TYPES[type(about[name])]}: expected text.")
    for name in REQUIRED:
        if not about[name]:
            refuse(f"The attribute `{name}` is empty.")
    if about["specversion"] not in VERSIONS:
        refuse("The attribute `specversion` is a version that is not supported: expected 1.0.")


def _refuse_second(data: dict[str, Any]) -> dict[str, Any]:
    """Refuse data that is a CloudEvent itself."""
    if all(type(data.get(name)) is str for name in REQUIRED):
        refuse("`data` is a CloudEvent itself: the producer wrapped it twice.")
    return data
