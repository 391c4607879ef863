"""The configuration of a demo: a folder of its own, which the demo's worker and commands in another terminal read."""

from __future__ import annotations

import glob
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.demo.scenario import Scenario
from worker.mapping.loading import mapping_paths

_TAKEN_OVER = {"batch", "rate_limit", "delivery", "memory", "limits"}
"""The sections of the settings that lead to no other machine. All their floats are durations."""

_NO_STORM = {"halt_after_consecutive": 1_000_000, "halt_above_ratio": 1.0}
"""Fixtures may be rejected again and again."""


@contextmanager
def demo_folder() -> Iterator[Path]:
    """A folder for the time of the demo."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


def write_configuration(
    folder: Path, scenario: Scenario, *, brokers: str, emulator: str, listen: str
) -> Path:
    """Write worker.yaml for a demo; returns its path.

    Nothing of the user's settings that leads to another machine gets into it: no broker and none of its properties, no
    URL, no key, no registry, no collector. The name of each secret stands for its value, as in `test`.

    Args:
        folder: to write to.
        scenario: with the settings to take over from.
        brokers: of the embedded cluster.
        emulator: its URL.
        listen: HOST:PORT of the worker's pages.
    """
    (folder / "api-key").write_text("demo\n")
    settings = scenario.settings
    content = {
        **_with_units(settings.model_dump(mode="json", include=_TAKEN_OVER)),
        "dead_letters": {"max_replays": settings.dead_letters.max_replays, **_NO_STORM},
        "kafka": {
            "bootstrap_servers": brokers,
            "group_id": settings.kafka.group_id,
            "dead_letter_topic": settings.kafka.dead_letter_topic,
            # The embedded cluster assigns partitions without delay only with this protocol.
            "properties": {"group.protocol": "consumer"},
        },
        "pipelines": {"url": emulator, "api_key": {"file": str(folder / "api-key")}},
        "secrets": {name: name for name in settings.secrets},
        "http": {"listen": listen},
        "telemetry": {"log_level": "error"},
        "mapper_path": [str(_found(each, settings.base)) for each in settings.mapper_path],
        "mappings": [
            glob.escape(str(path.resolve()))
            for pattern in settings.mappings
            for path in mapping_paths(pattern, settings.base)
        ],
    }
    path = folder / "worker.yaml"
    path.write_text(json.dumps(content, indent=2) + "\n")  # JSON is YAML
    return path


def write_program(folder: Path, config: Path) -> Path:
    """Write a program that is this one with these settings, for terminals too narrow for both; returns its path."""
    path = folder / "pipelines-worker"
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m worker --config {config} "$@"\n')
    path.chmod(0o700)
    return path


def _with_units(value: Any) -> Any:
    """The same with every float as a duration: `1.5` is `1.500000s`."""
    if isinstance(value, dict):
        return {name: _with_units(each) for name, each in value.items()}
    return f"{value:f}s" if isinstance(value, float) else value


def _found(folder: str, base: Path) -> Path:
    """A folder of `mapper_path`: relative to the current directory, or else to the settings."""
    here = Path(folder)
    return (here if here.exists() else base / here).resolve()
