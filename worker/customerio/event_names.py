"""Normalises event names for comparison, so that variants of a reserved name are recognised.

Customer.io trims names, and does not document what else it normalises. So a name counts as reserved if it differs from
a reserved one only by invisible characters, case or width.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from worker.customerio.limits import MAX_CALL_BYTES

_CACHED_CHARACTERS = 256
"""Longer names are rare and not cached, so that 4,096 cached ones take a few megabytes at most."""


def comparable(name: str) -> str:
    """Normalise a name so that names that look the same are equal; blank names become empty.

    Applies NFKC (full-width letters, ligatures), removes format characters (category Cf: zero-width spaces and joiners,
    U+FEFF, direction marks) and NULs, folds case, trims, and replaces each run of white space by one space. A name
    larger than a call may be is returned unchanged: its call is rejected for its size.
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


_kept = lru_cache(maxsize=4096)(_comparable)  # a worker sends few different event names
