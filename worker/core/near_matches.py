"""The word that was probably meant, for hints."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def closest(word: str, candidates: Collection[str], *, cutoff: float = 0.7) -> str | None:
    """The candidate that `word` was probably meant to be, without regard to case; None if none is near."""
    folded = {candidate.casefold(): candidate for candidate in sorted(candidates)}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else None


def did_you_mean(word: str, candidates: Collection[str]) -> str | None:
    """The hint for a word that is not known: `did you mean 'x'?`."""
    near = closest(word, candidates)
    return f"did you mean '{near}'?" if near else None
