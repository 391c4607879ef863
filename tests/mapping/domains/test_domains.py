"""Whole projects of awkward domains, mapped by rules alone: they pass `check --strict`, and their fixtures pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.cli.main import run

DOMAINS = sorted(path.parent for path in Path(__file__).parent.glob("*/worker.yaml"))


@pytest.mark.parametrize("folder", DOMAINS, ids=lambda folder: folder.name)
def test_a_domain_is_mapped_by_rules_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not list(folder.rglob("*.py"))
    config = ["--config", str(folder / "worker.yaml")]

    assert run(["test", *config]) == 0, capfd.readouterr()
    assert "no fixture" not in capfd.readouterr().err
    assert run(["check", "--strict", "--coverage", *config]) == 0, capfd.readouterr()
