"""Hints for misspelt words: `did you mean 'x'?`."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def closest(word: str, candidates: Collection[str], *, cutoff: float = 0.7) -> str | None:
    """The candidate most similar to `word`, ignoring case; None if none is similar enough.

    Args:
        word: the unknown word.
        candidates: the known words.
        cutoff: the smallest similarity from 0 to 1, see `difflib`. At 0.7 one typo in a word of four letters counts.
    """
    folded = {candidate.casefold(): candidate for candidate in sorted(candidates)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(word: str, candidates: Collection[str]) -> str | None:
    """The hint for an unknown word: `did you mean 'x'?`; None if no candidate is similar."""
    near = closest(word, candidates)
    return f"did you mean '{near}'?" if near else None
