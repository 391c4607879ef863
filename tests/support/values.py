"""What tests draw: JSON values, ids, calls."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ids = st.text("abcdefgh0123456789-", min_size=1, max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)


def full_width(text: str) -> str:
    """The letters as East Asian fonts have them, in the block from U+FF01 on, and their space."""
    wide = {
        ord(dead_letter): ord(dead_letter) + 0xFEE0 for dead_letter in map(chr, range(ord("!"), ord("~") + 1))
    }
    return text.translate(wide | {ord(" "): 0x3000})


DISGUISED = [
    "\ufeffUser Deleted",
    "User Deleted\0",
    "User\0 Deleted",
    "User \u200bDeleted",
    "Us\u00ader Del\u2060eted",
    "User\u2003\u00a0Deleted",
    full_width("User Deleted"),
]
"""Ways to write the reserved name `User Deleted` that a person or the API may take for it."""
