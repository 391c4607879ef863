"""Checks of keys that files and rules share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from worker.core.near_matches import did_you_mean
from worker.documents.document import Path
from worker.mapping.files.value_reader import ValueReader


def known_keys(
    values: ValueReader, given: dict[str, Any], path: Path, known: Collection[str], what: str
) -> None:
    """Report keys that do not exist."""
    for key in given:
        if key not in known:
            hint = did_you_mean(key, known) or f"it takes {', '.join(known)}"
            values.report(f"{what} has no key '{key}'", (*path, key), key=True, hint=hint)


def one_of_words(values: ValueReader, given: dict[str, Any], path: Path, choices: tuple[str, ...]) -> Any:
    """The value of a key that takes one of several words; None if it is absent or wrong."""
    key = path[-1]
    if key not in given:
        return None
    chosen = given[str(key)]
    if chosen in choices:
        return chosen
    said = f"'{chosen}'" if isinstance(chosen, str) else "this"
    hint = did_you_mean(chosen, choices) if isinstance(chosen, str) else None
    values.report(f"`{key}` is {' or '.join(choices)}, not {said}", path, hint=hint)
    return None
