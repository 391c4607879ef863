"""What a judge tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MOST_OF_A_PROMISE = 5
"""How many findings of one promise are told; the others are counted."""


class Broken(NamedTuple):
    """A promise that was not kept.

    Attributes:
        promise: in a sentence.
        where: the record, request or process.
    """

    promise: str
    where: str
    expected: str
    seen: str


def told(findings: Iterable[Broken]) -> Iterator[str]:
    """The findings as lines of text: of each promise the first few."""
    by_promise: dict[str, list[Broken]] = {}
    for each in findings:
        by_promise.setdefault(each.promise, []).append(each)
    for promise, those in by_promise.items():
        yield f"BROKEN: {promise}"
        for each in those[:MOST_OF_A_PROMISE]:
            yield f"  {each.where}"
            yield f"    expected: {each.expected}"
            yield f"    seen:     {each.seen}"
        if len(those) > MOST_OF_A_PROMISE:
            yield f"  and {len(those) - MOST_OF_A_PROMISE} more"
