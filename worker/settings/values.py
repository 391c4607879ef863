"""The types of settings, and their error messages.

A value from the environment is `EnvironmentText`: it is converted to a number, a boolean or null where one is
expected. A value in the file must have its type as written.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_WHOLE = re.compile(r"[-+]?\d+")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_BOOLEANS = {"true": True, "false": False}
NULLS = {"", "null", "~"}

DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"


class EnvironmentText(str):
    """Text from an environment variable, which has no type yet."""

    __slots__ = ()


class InvalidValueError(ValueError):
    """A setting's value is invalid.

    Attributes:
        message: what it must be. It never repeats the value, which may be a secret.
        hint: an example or a near match.
        key: the offending key, where a section as a whole was validated.
    """

    def __init__(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.key = key


def seconds(value: Any) -> float:
    """The seconds of a duration such as `500ms`, `3s`, `5m` or `1h`; a float is already in seconds."""
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValueError(
            "must be a duration with its unit", f"write {value}s for seconds or {value}ms for milliseconds"
        )
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidValueError("must be a duration", "a number with a unit: 500ms, 3s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def _written_seconds(value: Any) -> float:
    if isinstance(value, float):
        raise InvalidValueError("must be a duration with its unit", f"write {value:g}s for seconds")
    return seconds(value)


def _whole(value: Any) -> int:
    if isinstance(value, EnvironmentText) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValueError("must be a whole number")
    return value


def _ratio(value: Any) -> float:
    if isinstance(value, EnvironmentText) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidValueError("must be a number from 0 to 1")
    return float(value)


def _flag(value: Any) -> bool:
    if isinstance(value, EnvironmentText):
        value = _BOOLEANS.get(value.lower())
    if not isinstance(value, bool):
        raise InvalidValueError("must be true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidValueError("must be text", "put it in quotes")
    if not value.strip():
        raise InvalidValueError("must not be empty")
    if "\0" in value:  # no path, name or address has one, and Python's file functions raise ValueError for it
        raise InvalidValueError("must not contain NUL")
    return str(value)


def _null(value: Any) -> Any:
    """An environment variable that is empty or `null` turns an optional setting off."""
    return None if isinstance(value, EnvironmentText) and value in NULLS else value


def http_url(value: Any) -> str:
    """An http or https URL with a host, without a trailing slash, credentials, query or fragment."""
    text = _text(value).rstrip("/")
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise InvalidValueError("must be an http or https URL", "such as https://cdp.customer.io")
    if parts.username is not None or parts.password is not None:
        raise InvalidValueError(
            "must not contain a user or a password", "the key belongs in pipelines.api_key"
        )
    if parts.query or parts.fragment or any(character.isspace() for character in text):
        raise InvalidValueError("must be a base URL", "without spaces, `?` and `#`")
    return text


def address(value: Any) -> tuple[str, int]:
    """The host and port of `HOST:PORT` or `[IPV6]:PORT`."""
    host, _, port = _text(value).rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidValueError(
            "must be HOST:PORT", "such as 127.0.0.1:8080, or 0.0.0.0:8080 for every interface"
        )
    return host, int(port)


def _address_text(value: Any) -> str:
    address(value)
    return str(value)


_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": DURATION_PATTERN, "examples": ["500ms", "3s", "5m"]}
)

Duration = Annotated[float, BeforeValidator(_written_seconds), _DURATION_SCHEMA]
Whole = Annotated[int, BeforeValidator(_whole)]
Ratio = Annotated[
    float, BeforeValidator(_ratio), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
Url = Annotated[str, BeforeValidator(http_url), WithJsonSchema({"type": "string", "pattern": "^https?://"})]
Address = Annotated[
    str, BeforeValidator(_address_text), WithJsonSchema({"type": "string", "pattern": ":[0-9]+$"})
]
Nullable = BeforeValidator(_null)
