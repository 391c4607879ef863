"""Every kind of mistake in a mapping file is told with its place, what is wrong, and what to do.

Each file in `wrong/` begins with what is expected of it: `# expect LINE:COLUMN message (hint)`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from worker.documents.problems import ConfigError
from worker.mapping.mappings import Mappings

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_each_mistake_is_reported_with_line_column_and_hint(path: Path) -> None:
    expected = re.findall(r"^# expect (\d+:\d+) (.*)$", path.read_text(), re.MULTILINE)

    with pytest.raises(ConfigError) as raised:
        Mappings.load([str(path)], mapper_path=[], base=Path(), dead_letter_topic="customerio.dead-letters")

    told = [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]
    assert told == [f"{place}: {message}" for place, message in expected]


def test_there_are_enough_mistakes() -> None:
    assert len(WRONG) >= 60
