from __future__ import annotations

import re
from pathlib import Path

import worker
from worker.core.reasons import REASONS

RAISED = re.compile(r'(?:Stage\.\w+, |_refuse\(\s*|refuse\(\s*)"([A-Z][A-Z0-9_]+)"')


def test_every_reason_code_used_in_the_code_is_explained() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(str(worker.__file__)).parent.rglob("*.py")]
    given = {reason for source in sources for reason in RAISED.findall(source)}
    assert len(given) > 15
    assert given <= REASONS.keys()


def test_a_reason_is_a_label_and_its_meaning_a_sentence() -> None:
    for reason, meaning in REASONS.items():
        assert re.fullmatch("[A-Z][A-Z0-9_]{0,63}", reason)
        assert meaning.endswith(".")
