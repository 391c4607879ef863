"""Whether one name is another one misspelt."""

from __future__ import annotations

SHORTEST = 3
"""Names shorter than this are not misspelt by one other letter: `ip` was not meant as `id`."""


def misspelt(written: str, meant: str) -> bool:
    """Whether the names differ by case, by how words are parted, or by one letter.

    One letter: added, left out, replaced by another letter, or swapped with its neighbour. Digits do not count:
    `line2` is not a misspelt `line1`.
    """
    if written == meant:
        return False
    if _folded(written) == _folded(meant):
        return True
    if len(written) == len(meant) < SHORTEST:
        return written == meant[::-1]
    if len(written) < SHORTEST and written[:1] != meant[:1]:
        return False  # `ip` is a name of its own, and no `vip`
    return min(len(written), len(meant)) > 1 and _one_letter(written, meant)


def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def _one_letter(one: str, other: str) -> bool:
    start = next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    left, right = one[start:], other[start:]
    if len(one) == len(other):
        replaced = left[1:] == right[1:] and left[0].isalpha() and right[0].isalpha()
        return replaced or (left[:2] == right[:2][::-1] and left[2:] == right[2:])
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[1:] == shorter and longer[0].isalpha()
