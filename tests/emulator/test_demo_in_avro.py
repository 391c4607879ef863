"""The demo's events in Avro."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.demo.avro import AvroEvents, in_avro
from worker.demo.configuration import write_configuration
from worker.demo.events import ExpectedOutcome, Sample, sample_events
from worker.demo.registry import Registry
from worker.demo.tea_shop import tea_shop
from worker.formats.encoding import Encoding
from worker.formats.formats import format_of
from worker.formats.schemas import IdKind, Schema, SchemaId, Schemas
from worker.programs.configuration import load_configuration


def decoded(registry: Registry, sample: Sample) -> dict[str, Any]:
    schemas = Schemas()
    for each in registry.schemas:
        schemas.put(SchemaId(IdKind.CONFLUENT, each.id), Schema(each.type, each.schema))
    return format_of(Encoding("avro"), schemas).decode(sample.value or b"")


def event(value: Any, topic: str = "orders") -> Sample:
    return Sample(topic, b"k", value if isinstance(value, bytes) else json.dumps(value).encode(), 0)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def test_events_are_the_same_after_decoding() -> None:
    registry = Registry()
    samples = list(sample_events(300, until=datetime(2026, 11, 21, tzinfo=UTC)))
    events = AvroEvents(registry, samples)
    for sample in samples:
        found = events.encoded(sample)
        if found is sample:
            assert sample.value is None or sample.outcome is ExpectedOutcome.DEAD_LETTERED
            continue
        assert without_nulls(decoded(registry, found)) == without_nulls(json.loads(sample.value or b""))
    assert registry.subjects == {f"{topic}-value": 1 for topic in {sample.topic for sample in samples}}


def test_an_event_that_does_not_fit_makes_a_new_version() -> None:
    registry = Registry()
    events = AvroEvents(registry, [event({"a": 1})])
    values: list[dict[str, Any]] = [
        {"a": 2},
        {"a": "text"},
        {"a": 1, "b": [{"c": None}, {"c": 1.5}]},
        {},
        {"b": []},
    ]
    for value in values:
        assert without_nulls(decoded(registry, events.encoded(event(value)))) == without_nulls(value)
    assert registry.subjects == {"orders-value": 4}


@pytest.mark.parametrize("value", [b"{broken", [1], {"first-name": "a"}, {"n": 2**63}, {"a": {"b c": 1}}])
def test_what_avro_cannot_hold_stays_as_it_is(value: Any) -> None:
    sample = event(value)
    assert AvroEvents(Registry(), [sample]).encoded(sample) is sample


def test_the_mappings_of_the_demo_are_for_avro(tmp_path: Path) -> None:
    written = write_configuration(
        tmp_path,
        in_avro(tea_shop(40)),
        brokers="127.0.0.1:1",
        emulator="http://127.0.0.1:2",
        listen="127.0.0.1:3",
        registry="http://127.0.0.1:4",
    )
    settings, mappings = load_configuration(written, {}, needs_key=True)
    assert settings.schema_registry.url == "http://127.0.0.1:4"
    assert {file.encodings.value.format for file in mappings.files} == {"avro"}


@pytest.mark.slow
def test_the_demo_in_avro_adds_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "demo", "--format", "avro", "--exit"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "INVALID_AVRO" in done.stdout
    assert "All totals are as expected" in done.stdout
    assert "/subjects" in done.stderr
