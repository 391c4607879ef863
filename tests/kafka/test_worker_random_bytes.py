"""Random bytes as keys, values, header names and header values: no record is lost, and none stops the program."""

from __future__ import annotations

import os
from typing import Any

import pytest
from confluent_kafka import Message

from tests.support.dlq_command import Dlq
from tests.support.ledger import header
from tests.support.random_records import RandomRecord, RandomRecords
from tests.support.raw_producer import RawProducer
from tests.support.worker_process import Site
from worker.core.reasons import REASONS

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

SEED = int(os.environ.get("RANDOM_BYTES_SEED", "10"))
RECORDS = int(os.environ.get("RANDOM_BYTES_RECORDS", "10000"))
EXPLAINED = 4
"""The record of every fourth letter that is shown is explained, too."""

MAPPING = """\
topics: [{topic}]
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
    timestamp: at
    properties: {{a: a, b: b}}
  - when: type == 'mapped'
    mapper: random_bytes_mapper:mapped
  - when: type == 'needs headers'
    call: identify
    userId: person
    traits: {{kind: _kafka.headers.kind, at: _kafka.timestamp}}
  - when: type == 'keyed' || _kafka.tombstone
    call: track
    event: Keyed
    userId: _kafka.key
    properties: {{all: '@'}}
"""
MAPPER = """\
from worker import track

def mapped(event):
    properties = {**event.headers, "at": event.timestamp, "a": event.value.get("a")}
    return track("Mapped", user_id=event.key, properties=properties)
"""


@pytest.fixture
def dlq(site: Site) -> Dlq:
    site.mapping = MAPPING.format(topic=site.topic)
    (site.folder / "config").mkdir()
    (site.folder / "config" / "random_bytes_mapper.py").write_text(MAPPER)
    never = {"halt_after_consecutive": 10**9, "halt_above_ratio": 1.0}
    site.change("dead_letters", **never)
    return Dlq(site)


def produce(raw: RawProducer, topic: str, partition: int, made: RandomRecord) -> None:
    raw.produce(topic, partition, made.value, key=made.key, headers=made.headers, timestamp=made.timestamp)


async def test_every_record_is_delivered_ignored_or_a_dead_letter_and_no_command_fails(
    site: Site, dlq: Dlq, raw: RawProducer
) -> None:
    records = RandomRecords(SEED)
    produced = [[records.record() for _ in range(RECORDS // 2)] for _ in (0, 1)]
    for partition, its in enumerate(produced):
        for each in its:
            produce(raw, site.topic, partition, each)
    raw.flush()
    assert site.ends() == [len(its) for its in produced]

    assert await site.run_job() == 0
    assert site.committed() == site.ends()
    (stopped,) = site.workers[0].told("worker_stopped")
    dead_letters = site.ledger.dead_letters()
    assert stopped["consumed"] == RECORDS // 2 * 2
    assert stopped["dead_letters"] == len(dead_letters)
    assert stopped["consumed"] == stopped["ignored"] + stopped["delivered"] + stopped["dead_letters"]
    assert min(stopped["ignored"], stopped["delivered"], stopped["dead_letters"]) > 0
    assert site.ledger.taken == stopped["delivered"]
    check_dead_letters(dead_letters, produced)

    mapped = dlq.look("map", "--from-topic", site.topic, "--limit", str(RECORDS))
    assert mapped.code == 1, mapped.err
    outcomes = [next(iter(line)) for line in mapped.lines]
    assert outcomes.count("rejected") == len(dead_letters)
    assert outcomes.count("calls") == stopped["delivered"]
    assert len(outcomes) == stopped["consumed"]

    listed = await dlq.listed()
    assert listed["waiting"] == len(dead_letters)
    assert (await dlq("list")).code == 0
    code, forecast = await dlq.replayed("--dry-run")
    assert code == 0
    assert sum(forecast.values()) == len(dead_letters), forecast
    await show_some(dlq, site, dead_letters)


def check_dead_letters(dead_letters: list[Message], produced: list[list[RandomRecord]]) -> None:
    """Each dead letter has its record's bytes and a known reason, and there is one per record."""
    origins = set()
    for dead_letter in dead_letters:
        place = (
            int(header(dead_letter, "__connect.errors.partition") or ""),
            int(header(dead_letter, "__connect.errors.offset") or ""),
        )
        its = produced[place[0]][place[1]]
        origins.add(place)
        assert (dead_letter.key(), dead_letter.value()) == (its.key, its.value)
        assert header(dead_letter, "dlq.reason") in REASONS.keys() - {"UNEXPECTED_FAULT"}, header(
            dead_letter, "__connect.errors.exception.message"
        )
        assert header(dead_letter, "dlq.stage") != "deliver"
        readable = all(is_utf_8(name.partition(b"\0")[0]) for name, _ in its.headers)
        assert header(dead_letter, "dlq.left_out") == (None if readable else "headers")
        if readable:
            own = [(name.partition(b"\0")[0].decode(), value) for name, value in its.headers]
            kept = [each for each in own if not each[0].startswith("dlq.")]
            found: Any = dead_letter.headers()
            assert found[: len(kept)] == kept
    assert len(origins) == len(dead_letters)


def is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


async def show_some(dlq: Dlq, site: Site, dead_letters: list[Message]) -> None:
    """Show a letter of each kind, masked or whole, and explain some of their records."""
    kinds = {
        (header(dead_letter, "dlq.reason"), header(dead_letter, "dlq.left_out")): dead_letter
        for dead_letter in dead_letters
    }
    for n, ((reason, left_out), dead_letter) in enumerate(kinds.items()):
        place = f"{dead_letter.topic()}:{dead_letter.partition()}:{dead_letter.offset()}"
        shown = await dlq("show", place, *["--reveal"] * (n % 2))
        assert shown.code == 0, shown.err
        assert shown.out.isascii() or shown.out.replace("\n", "").isprintable()
        assert str(reason) in shown.out
        assert ("headers  left out" in shown.out) is (left_out == "headers")
        if n % EXPLAINED == 0:
            origin = (
                header(dead_letter, "__connect.errors.partition"),
                header(dead_letter, "__connect.errors.offset"),
            )
            explained = dlq.look("map", "--explain", ":".join([site.topic, *map(str, origin)]))
            assert explained.code == 1, explained.err
            assert str(reason) in explained.out
