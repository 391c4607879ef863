"""Programs that are no Python packages: where they are, and what happens to a test where they are not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import NO_TOOL

ROOT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """The path of a program, in `.tools` (`make tools`) or elsewhere.

    Without it the test is skipped; with CI=true it fails.
    """
    found = shutil.which(name, path=ROOT / ".tools") or shutil.which(name)
    if found is None:
        message = f"{NO_TOOL}: {name}. Run `make tools`, or install it"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found
