"""The semantic events that Customer.io documents. (Signatures hold.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FAMILIES: dict[str, list[str]] = {}


def event(name: str) -> dict[str, Any] | None:
    """What is known of an event of exactly this name."""
    raise NotImplementedError


def suggest(name: str) -> str | None:
    """The known name that this one is close to; None if it is one, or close to none."""
    raise NotImplementedError


def is_reserved(name: str) -> bool:
    """Whether Customer.io acts on events of this name."""
    raise NotImplementedError


def check_properties(name: str, properties: Mapping[str, Any]) -> list[str]:
    """Warnings about properties whose type or value is not what the catalogue says."""
    raise NotImplementedError


def warnings(call: Mapping[str, Any]) -> list[str]:
    """What may be wrong with a call that the API takes all the same."""
    raise NotImplementedError
