"""docs/api.md is what the docstrings of the public names say."""

from __future__ import annotations

import pytest

import worker
from docs import write_api

DOCUMENT = write_api.TARGET.read_text(encoding="utf-8")


def test_the_reference_is_what_the_docstrings_say() -> None:
    assert write_api.reference() == DOCUMENT, "run `make docs`"


@pytest.mark.parametrize("name", worker.__all__)
def test_every_public_name_has_an_entry_with_a_docstring(name: str) -> None:
    entry = DOCUMENT.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
    assert entry.count("```") == 2
    assert entry.rpartition("```")[2].strip()
