"""Checks of keys that files and rules share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from worker.core.near_matches import closest, did_you_mean
from worker.documents.document import Path
from worker.formats.envelopes.unwrapped import TYPES
from worker.mapping.files.value_reader import ValueReader

_SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("if", "where", "condition", "filter", "match", "matches"), ("when",)),
    **dict.fromkeys(("trait", "attributes", "attrs"), ("traits", "properties")),
    **dict.fromkeys(("property", "props", "params", "data"), ("properties", "traits")),
    **dict.fromkeys(("action", "type", "do", "method", "send"), ("call",)),
    **dict.fromkeys(("actions",), ("calls",)),
    **dict.fromkeys(("event_name", "eventname"), ("event",)),
    **dict.fromkeys(("time", "ts", "at", "date"), ("timestamp",)),
    **dict.fromkeys(("foreach", "each", "loop"), ("for_each",)),
    **dict.fromkeys(("skip", "drop"), ("ignore",)),
    **dict.fromkeys(("vars", "variables", "define"), ("let",)),
}
"""What keys are called elsewhere, in lower case, and the keys that may be meant."""


def meant_key(key: str, known: Collection[str]) -> str | None:
    """The key that was probably meant by one that does not exist."""
    synonyms = (each for each in _SYNONYMS.get(key.lower(), ()) if each in known)
    return next(synonyms, None) or closest(key, known)


def known_keys(
    values: ValueReader, given: dict[str, Any], path: Path, known: Collection[str], what: str
) -> set[str]:
    """Report keys that do not exist; returns those that were probably meant by them."""
    every: set[str] = set()
    for key in given:
        if key not in known:
            meant = meant_key(key, known)
            every |= {meant} if meant else set()
            hint = f"did you mean '{meant}'?" if meant else f"it takes {', '.join(known)}"
            values.report(f"{what} has no key '{key}'", (*path, key), key=True, hint=hint)
    return every


def one_of_words(values: ValueReader, given: dict[str, Any], path: Path, choices: tuple[str, ...]) -> Any:
    """The value of a key that takes one of several words; None if it is absent or wrong."""
    key = path[-1]
    if key not in given:
        return None
    chosen = given[str(key)]
    if chosen in choices:
        return chosen
    said = f"'{chosen}'" if isinstance(chosen, str) else TYPES.get(type(chosen), "this")
    hint = did_you_mean(chosen, choices) if isinstance(chosen, str) else None
    values.report(f"`{key}` is {' or '.join(choices)}, not {said}", path, hint=hint)
    return None
