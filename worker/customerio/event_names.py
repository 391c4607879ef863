"""Compares event names, so that every spelling of a reserved name is found.

Customer.io trims names, and does not say what else it strips or folds. A name that differs from a reserved one
only by what a person cannot see, by case or by width therefore counts as reserved.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from worker.customerio.limits import MAX_CALL_BYTES

_CACHED_CHARACTERS = 256
"""Longer names are rare and are compared each time, so that 4,096 kept ones take a few megabytes at most."""


def comparable(name: str) -> str:
    """The form in which two names are equal if a reader would take them for the same name; "" for a blank one.

    That is: after NFKC (full-width letters, ligatures), without format characters (the category Cf: zero-width
    spaces and joiners, U+FEFF, direction marks) and NULs, without case, trimmed, each run of spaces of any kind
    as one space. A name longer than a whole call may be is returned unchanged: its call is rejected for its size.
    """
    if len(name) <= _CACHED_CHARACTERS:
        return _kept(name)
    return _comparable(name) if len(name) <= MAX_CALL_BYTES else name


def _comparable(name: str) -> str:
    text = name if name.isascii() else unicodedata.normalize("NFKC", name)
    hidden = {ord(letter): None for letter in set(text) if _is_hidden(letter)}
    return " ".join(text.translate(hidden).casefold().split())


def _is_hidden(letter: str) -> bool:
    return letter == "\0" or unicodedata.category(letter) == "Cf"


_kept = lru_cache(maxsize=4096)(_comparable)  # a topic has few distinct event names
