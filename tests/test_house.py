"""The maps of the code name every room that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import worker

ROOT = Path(__file__).parents[1]
ROOMS = {path.parent.name for path in (ROOT / "worker").glob("*/__init__.py")}
MAPS = {
    "worker/__init__.py": set(re.findall(r"\b([a-z_]+)/", str(worker.__doc__))),
    "docs/architecture.md": set(
        re.findall(r"`worker/(\w+)/", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    ),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_names_every_room_and_no_other(name: str) -> None:
    assert MAPS[name] == ROOMS
