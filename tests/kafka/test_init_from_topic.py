"""`init --from-topic` on a real Kafka: from records to a mapping that passes `check` and `test`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.mapping.drafting.shapes import SHAPES
from tests.support.kafka_client import KafkaClient
from tests.support.program import ROOT, Finished

pytestmark = pytest.mark.kafka


def program(folder: Path, *arguments: str, **environ: str) -> Finished:
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def filled(kafka: KafkaClient, name: str) -> str:
    """A topic with the records of a shape."""
    topic = kafka.create_topic(2)
    for offset, (event, key, headers) in enumerate(SHAPES[name].records()):
        kafka.append(
            topic,
            offset % 2,
            [orjson.dumps(event)],
            key=None if key is None else key.encode(),
            headers=[(header, text.encode()) for header, text in headers.items()],
        )
    return topic


def test_records_become_a_tested_mapping_without_any_settings(tmp_path: Path, kafka: KafkaClient) -> None:
    topic = filled(kafka, "stripe")
    done = program(tmp_path, "init", "--from-topic", topic, KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "config/worker.yaml",
        "config/schemas/worker.json",
        "config/schemas/mapping.json",
        f"config/mappings/{topic}.yaml",
        f"config/tests/{topic}.yaml",
    ]
    assert "Drafted from 36 records" in done.err
    assert program(tmp_path, "check").code == 0
    tested = program(tmp_path, "test")
    assert tested.code == 0
    assert "3 passed" in tested.err
    mapped = program(
        tmp_path, "map", "--from-topic", topic, "--limit", "36", KAFKA_BOOTSTRAP_SERVERS=kafka.servers
    )
    assert mapped.code == 0
    assert mapped.err == "36 records: 36 sent as 36 calls, 0 ignored, 0 rejected\n"


def test_a_second_topic_is_added_and_a_mapped_one_is_not_drafted_again(
    tmp_path: Path, kafka: KafkaClient
) -> None:
    first, second = filled(kafka, "github"), filled(kafka, "segment")
    config = tmp_path / "config" / "worker.yaml"
    assert program(tmp_path, "init", "--from-topic", first, KAFKA_BOOTSTRAP_SERVERS=kafka.servers).code == 0
    config.write_text(
        f"kafka: {{bootstrap_servers: '{kafka.servers}'}}\nmappings: [config/mappings/*.yaml]\n"
    )
    done = program(tmp_path, "init", "--from-topic", second, "--limit", "20")
    assert done.out.splitlines() == [f"config/mappings/{second}.yaml", f"config/tests/{second}.yaml"]
    assert "Drafted from 20 records" in done.err
    assert program(tmp_path, "test").code == 0
    again = program(tmp_path, "init", "--from-topic", first)
    assert again.code == 1
    assert f"config/mappings/{first}.yaml already maps {first}; nothing was written" in again.err


def test_a_topic_without_records_or_events_says_so(tmp_path: Path, kafka: KafkaClient) -> None:
    empty, broken = kafka.create_topic(), kafka.create_topic()
    kafka.append(broken, 0, [b"not JSON"])
    for topic, words in (
        (empty, f"{empty} has no records to begin from"),
        (broken, f"none of the 1 newest records of {broken} is an event: INVALID_JSON"),
        ("nonesuch", "kafka: no such topic"),
    ):
        done = program(tmp_path, "init", "--from-topic", topic, KAFKA_BOOTSTRAP_SERVERS=kafka.servers)
        assert done.code == 1
        assert words.lower() in done.err.lower()
    assert list(tmp_path.iterdir()) == []


def test_the_brokers_may_come_from_another_configuration(tmp_path: Path, kafka: KafkaClient) -> None:
    topic = filled(kafka, "rows")
    settings = tmp_path / "other.yaml"
    settings.write_text(f"kafka: {{bootstrap_servers: '{kafka.servers}'}}\nmappings: [nothing/*.yaml]\n")
    done = program(tmp_path, "init", "shop", "--from-topic", topic, "--config", str(settings))
    assert done.code == 0, done.err
    assert (tmp_path / "shop" / "config" / "mappings" / f"{topic}.yaml").exists()
