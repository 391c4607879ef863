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
from worker.documents.document import Document, parse
from worker.documents.files import read_file
from worker.formats.encoding import AVRO, JSON, TEXT
from worker.mapping.loading import mapping_paths
from worker.settings import Settings

_TAKEN_OVER = {"batch", "rate_limit", "delivery", "memory", "limits"}
"""The sections of the settings that lead to no other machine. All their floats are durations."""

_OF_GROUPS = {"rate_limit": {"scope"}}
"""The demo's worker is the only one of its group, and its cluster does not tell what a shared limit needs."""

_OF_FORMATS = {"format", "schema", "schema_id", "apicurio_id", "message", "key_format"}
"""The keys of a mapping file that say how records are encoded."""

_NO_STORM = {"halt_after_consecutive": 1_000_000, "halt_above_ratio": 1.0}
"""Fixtures may be rejected again and again."""


@contextmanager
def demo_folder() -> Iterator[Path]:
    """A folder for the time of the demo."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


def write_configuration(  # noqa: PLR0913 - the addresses of everything that a demo starts
    folder: Path, scenario: Scenario, *, brokers: str, emulator: str, listen: str, registry: str | None = None
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
        registry: the URL of the demo's schema registry, for events in Avro.
    """
    (folder / "api-key").write_text("demo\n")
    settings = scenario.settings
    content = {
        **_with_units(settings.model_dump(mode="json", include=_TAKEN_OVER, exclude=_OF_GROUPS)),
        "dead_letters": {"max_replays": settings.dead_letters.max_replays, **_NO_STORM},
        "kafka": {
            "bootstrap_servers": brokers,
            "group_id": settings.kafka.group_id,
            "dead_letter_topic": settings.kafka.dead_letter_topic,
            # The embedded cluster assigns partitions without delay only with this protocol.
            "properties": {"group.protocol": "consumer"},
        },
        "pipelines": {"url": emulator, "api_key": {"file": str(folder / "api-key")}},
        "schema_registry": {"url": registry},
        "secrets": {name: name for name in settings.secrets},
        "http": {"listen": listen},
        "telemetry": {"log_level": "error"},
        "mapper_path": [str(_found(each, settings.base)) for each in settings.mapper_path],
        "mappings": [glob.escape(str(path)) for path in _mappings(settings, folder, avro=bool(registry))],
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


def _mappings(settings: Settings, folder: Path, *, avro: bool) -> Iterator[Path]:
    """The mapping files. One for records that are not JSON is a copy for JSON, as fixtures are written.

    Args:
        settings: name the files.
        folder: for copies.
        avro: whether all are copies for Avro.
    """
    paths = [path for pattern in settings.mappings for path in mapping_paths(pattern, settings.base)]
    for number, path in enumerate(paths):
        document = parse(read_file(path), str(path))
        if not avro and document.data.keys().isdisjoint(_OF_FORMATS):
            yield path.resolve()
        else:
            copy = folder / str(number) / path.name
            copy.parent.mkdir()
            text = _for_json(document, path.read_text(encoding="utf-8"))
            copy.write_text(f"{text}format: {AVRO}\n" if avro else text, encoding="utf-8")
            _link_tables(document.data.get("tables", {}), path.parent, copy.parent)
            yield copy


def _for_json(document: Document, text: str) -> str:
    """The text of a mapping file without the keys about formats. Every other line stays where it is."""
    lines = text.splitlines()
    starts = sorted(document.position((name,), key=True)[0] for name in document.data)
    for name in document.data.keys() & _OF_FORMATS:
        start = document.position((name,), key=True)[0]
        end = next((each for each in starts if each > start), len(lines) + 1)
        lines[start - 1 : end - 1] = [""] * (end - start)
    if document.data.get("key_format", TEXT) != TEXT:
        lines.append(f"key_format: {JSON}")
    return "\n".join(lines) + "\n"


def _link_tables(tables: dict[str, Any], base: Path, folder: Path) -> None:
    """Make the files of tables found beside the copy of a mapping file, too."""
    for name in tables.values():
        if isinstance(name, str) and not Path(name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to((base / name).resolve())


def _found(name: str, base: Path) -> Path:
    """A path in a configuration file: relative to the current directory, or else to the file's folder."""
    here = Path(name)
    return (here if here.exists() else base / here).resolve()
