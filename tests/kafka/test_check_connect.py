"""`check --connect` shows what it looked at in a real Kafka, and joins no group."""

from __future__ import annotations

import time

import pytest

from tests.support.inspection import findings, kafka_problems
from tests.support.kafka_client import KafkaClient
from tests.support.worker_process import Site, until
from worker.adapters.findings import Finding
from worker.settings import Kafka

pytestmark = pytest.mark.kafka


def look(site: Site, *subscriptions: str) -> dict[str, Finding]:
    kafka = Kafka.model_validate(
        {
            "bootstrap_servers": site.kafka.servers,
            "group_id": site.group,
            "dead_letter_topic": site.dead_letters,
        }
    )
    return {each.subject: each for each in findings(kafka, subscriptions or [site.topic])}


async def test_everything_that_is_looked_at_is_shown(site: Site) -> None:
    site.kafka.append(site.topic, 1, [b"{}"] * 3, timestamp=int(time.time() * 1000) - 3 * 3600 * 1000)
    found = look(site)
    assert "Kafka 4.1 or newer; 1 broker" in found["broker"].text
    assert found["cluster"].facts["id"]
    assert found[f"topic {site.topic}"].text == "2 partitions; the newest record is 3 hours old"
    letters = found[f"dead-letter topic {site.dead_letters}"]
    assert letters.text == "2 partitions; kept for 7 days; takes 1,048,588 bytes a record; not compacted"
    assert (letters.facts["retention_ms"], letters.facts["max_message_bytes"]) == (604_800_000, 1_048_588)
    group = found[f"group {site.group}"]
    assert group.text == "no members; has committed nothing yet; 3 records to read"
    assert [each for finding in found.values() for each in finding.problems] == []


async def test_the_members_and_the_lag_of_a_running_group_are_shown(site: Site) -> None:
    worker = await site.joined()
    site.produce(20)
    await site.delivered()
    await until(lambda: sum(site.committed()) == 20)
    assert look(site)[f"group {site.group}"].text == "1 member; lag 0 records"
    assert await worker.stop() == 0
    site.kafka.append(site.topic, 0, [b"{}"])
    assert look(site)[f"group {site.group}"].text == "no members; lag 1 record"


def test_a_pattern_shows_each_topic_that_it_matches(site: Site, kafka: KafkaClient) -> None:
    more = kafka.create_topic(1, f"{site.topic}-more")
    found = look(site, f"^{site.topic}.*$", "^no-such-.*$")
    assert found[f"topic {more}"].text == "1 partition; no records"
    assert f"topic {site.topic}" in found
    assert found["topics ^no-such-.*$"].text == "none yet"


def test_a_dead_letter_topic_that_loses_letters_is_a_problem(kafka: KafkaClient) -> None:
    source = kafka.create_topic(max_message_bytes="2000000")
    compacted = kafka.create_topic(cleanup_policy="compact", retention_bytes="1000000", retention_ms="-1")
    settings = Kafka.model_validate({"bootstrap_servers": kafka.servers, "dead_letter_topic": compacted})
    problems = [str(each) for each in kafka_problems(settings, [source])]
    assert [each.partition(": ")[0] for each in problems] == ["kafka.dead_letter_topic"] * 2
    assert "is compacted" in problems[0]
    assert "accepts 1048588 bytes a record, less than" in problems[1]
    (found,) = (each for each in findings(settings, [source]) if each.subject.startswith("dead-letter topic"))
    assert "kept for ever, at most 1,000,000 bytes a partition" in found.text
    assert found.text.endswith("; compacted")
