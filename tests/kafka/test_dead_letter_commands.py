"""The `dlq` commands on a real Kafka: dead letters of other programs, old ones, wrong keys, wrong coordinates."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.support.dead_letters import dead_letter_record
from tests.support.dlq_command import Dlq, connect_headers
from tests.support.kafka_client import Headers, KafkaClient
from tests.support.ledger import EVENT, PERSON, TEXT
from tests.support.worker_process import Site
from worker.adapters.dead_letter_topic.reader import open_dead_letters
from worker.core.message_id import MessageIds
from worker.dead_letters.selection import LeftAlone
from worker.emulator import Emulator, Fault
from worker.emulator.received import Query
from worker.settings import Kafka, Settings

pytestmark = pytest.mark.kafka

MAPPING = """\
topics: [{topic}]
rules:
  - {{when: type == 'happened', call: track, event: Something Happened, userId: person}}
  - {{when: type == 'known', call: identify, userId: person, traits: {{text: text}}}}
  - {{when: type == 'erased', call: delete_user, userId: person}}
"""
NOW = int(time.time() * 1000)
HOUR = 3_600_000


@pytest.fixture
def dlq(site: Site) -> Dlq:
    site.mapping = MAPPING.format(topic=site.topic)
    return Dlq(site)


def event(kind: str) -> bytes:
    return f'{{"type": "{kind}", "person": "{PERSON}", "text": "{TEXT}"}}'.encode()


def append_dead_letter(site: Site, n: int, value: bytes | None, age_hours: float = 0, **facts: Any) -> None:
    """Write a dead letter as a worker would have."""
    millis = NOW - int(age_hours * HOUR)
    record = dead_letter_record(
        origin=(site.topic, 0, n), value=value, millis=millis, failed_at=NOW / 1000, **facts
    )
    headers: Headers = [*(record.headers() or [])]
    site.kafka.append(site.dead_letters, 0, [value], key=b"key", headers=headers)


async def test_dead_letters_of_kafka_connect_are_listed_shown_and_replayed(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    quoting = connect_headers(site.topic, 1, 7, **{"exception.message": f"cannot convert {PERSON}"})
    headers: Headers = [("trace", b"1"), *quoting]
    site.kafka.append(
        site.dead_letters, 1, [event("happened")], key=b"key", headers=headers, timestamp=NOW - HOUR
    )
    site.kafka.append(site.dead_letters, 1, [b"{}"])  # not a dead letter
    (group,) = (await dlq.listed())["groups"]
    assert (group["reason"], group["stage"], group["topic"]) == ("DataException", "decode", site.topic)
    assert (await dlq.waiting("--stage", "decode", "--until", "30m")) == {"DataException": 1}
    shown = (await dlq("show", f"{site.dead_letters}:1:0")).out
    assert "would send 1 call:" in shown
    assert "trace" in shown
    assert (await dlq("show", f"{site.topic}:1:7")).out == shown  # by its source record
    code, table = await dlq.replayed()
    assert (code, table["delivered"]) == (0, 1)
    (call,) = emulator.received.calls(Query(event=EVENT))
    ids = MessageIds(str(site.kafka.admin.list_topics().cluster_id))
    assert call["messageId"] == ids.for_record(NOW - HOUR, site.topic, 1, 7, "track", EVENT, 0)
    assert await dlq.waiting() == {}
    assert "resolved" in (await dlq("show", f"{site.dead_letters}:1:0")).out
    assert PERSON not in dlq.said


ODD_FACTS: list[dict[str, Any]] = [
    {"dlq.failed_at": b"0001-01-01T00:00:00+14:00"},
    {"dlq.failed_at": b"9999-12-31T23:59:59-14:00"},
    {"dlq.failed_at": b"9" * 5000, "dlq.timestamp": b"9" * 5000, "dlq.replays": b"9" * 5000},
    {"dlq.timestamp": str(NOW * 1000).encode()},
    {"dlq.reason": b"[/nope]", "dlq.stage": b"[bold", "dlq.rule": b"[link=x]"},
    {"dlq.reason": b"\x1b[2J\x1b]0;owned\x07", "dlq.errors": b"\x1b[31m", "dlq.\x1b[1mx": b"y"},
    {"dlq.reason": b"R" * 100_000, "dlq.cluster_id": b"\xff\xfe"},
    {"__connect.errors.offset": b"9223372036854775808", "__connect.errors.partition": b"1" * 5000},
    {"__connect.errors.offset": b"9223372036854775807", "__connect.errors.partition": b"2147483648"},
    {"__connect.errors.topic": b"\xff[/x]\x1b"},
]


async def test_no_command_fails_on_dead_letters_written_by_other_programs(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    # Kafka 4 refuses timestamps of the far future by default; other clusters accept any.
    site.dead_letters = site.kafka.create_topic(1, message_timestamp_after_max_ms=str(2**63 - 1))
    site.change("kafka", dead_letter_topic=site.dead_letters)
    for n, odd in enumerate(ODD_FACTS):
        written = dict(dead_letter_record(origin=(site.topic, 0, n), value=event("happened")).headers() or [])
        headers: Headers = list({**written, **odd}.items())
        site.kafka.append(site.dead_letters, 0, [event("happened")], key=b"key", headers=headers)
    for mark in (b"0:" + b"9" * 5000, b"\xff", b"0:5-1", b"99999999999:0", b"0:-1"):
        site.kafka.append(site.dead_letters, 0, [None], headers=[("dlq.resolved", mark)])
    deep = b'{"type": "happened", "person": "p", "x": ' + b"[" * 900 + b'"\xc2\x9b31m"' + b"]" * 900 + b"}"
    written = dict(dead_letter_record(origin=(site.topic, 0, 50), value=deep).headers() or [])
    site.kafka.append(site.dead_letters, 0, [deep], key=b"key", headers=list(written.items()))
    # Kafka Connect keeps the original timestamp, in the unit that the producer used.
    connect: Headers = [*connect_headers(site.topic, 0, 99)]
    site.kafka.append(site.dead_letters, 0, [event("happened")], headers=connect, timestamp=NOW * 1000)
    dead_letters = len(ODD_FACTS) + 2
    assert sum((await dlq.waiting()).values()) == dead_letters
    places = [*range(len(ODD_FACTS)), len(ODD_FACTS) + 5, len(ODD_FACTS) + 6]
    for done in [await dlq("list"), *[await dlq("show", f"{site.dead_letters}:0:{n}") for n in places]]:
        assert done.code == 0, done.err
        assert done.out.replace("\n", "").isprintable(), repr(done.out)
    revealed = await dlq("show", f"{site.dead_letters}:0:{len(ODD_FACTS) + 5}", "--reveal")
    assert revealed.code == 0, revealed.err
    assert revealed.out.replace("\n", "").isprintable()
    assert (await dlq("replay", "--dry-run", "--rate", "9" * 400)).code == 2
    assert (await dlq("list", "--since", "9" * 400 + "d")).code == 2
    assert (await dlq("show", f"{site.dead_letters}:99999999999999999999:1")).code == 2
    assert (await dlq("show", f"{site.dead_letters}:0:99999999999999999999")).code == 2
    code, table = await dlq.replayed("--allow-stale", "--include-replayed")
    assert code in {0, 1}
    assert (
        sum(n for name, n in table.items() if name.startswith(("delivered", "left alone", "failed")))
        == dead_letters
    )
    assert (await dlq("list")).code == 0


async def test_old_calls_that_would_be_ignored_or_undo_a_newer_state_are_left_alone_and_counted(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    for n, (kind, age) in enumerate(
        [("known", 25), ("known", 1), ("erased", 25), ("erased", 1), ("happened", 500)]
    ):
        append_dead_letter(site, n, event(kind), age)
    stale = f"left alone: {LeftAlone.STALE}"
    _, forecast = await dlq.replayed("--dry-run")
    assert forecast[stale] == 2
    assert forecast["would be delivered (3 calls)"] == 3
    assert f"would leave it alone: {LeftAlone.STALE}" in (await dlq("show", f"{site.dead_letters}:0:0")).out
    _, table = await dlq.replayed("--dry-run", "--skip-destructive", "--max-age", "100h")
    assert table["would be delivered (1 calls)"] == 1
    assert table["left alone: destructive (--skip-destructive)"] == 2
    assert table["left alone: older than --max-age"] == 1
    code, table = await dlq.replayed()
    assert (code, table["delivered"], table[stale]) == (0, 3, 2)
    code, table = await dlq.replayed("--allow-stale")
    assert (code, table["delivered"], table["resolved before"]) == (0, 2, 3)
    assert [call["type"] for call in emulator.received.calls()] == [
        "identify",
        "track",
        "track",
        "identify",
        "track",
    ]


async def test_dead_letters_at_max_replays_are_only_replayed_on_request(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    append_dead_letter(site, 0, event("happened"), replays=5)
    append_dead_letter(site, 1, None)
    record = dead_letter_record(origin=(site.topic, 0, 2), value=None)
    huge: Headers = [*(record.headers() or []), ("dlq.value_bytes", b"9000000")]
    site.kafka.append(site.dead_letters, 0, [None], headers=huge)
    code, table = await dlq.replayed("--dry-run")
    assert (code, table["would be ignored by the current mapping, and resolved"]) == (0, 1)
    assert table["left alone: too many replays (--include-replayed)"] == 1
    assert table["left alone: its value was too large for the dead-letter topic"] == 1
    assert "is not possible" in (await dlq("show", f"{site.dead_letters}:0:2")).out
    code, table = await dlq.replayed("--include-replayed")
    assert (code, table["delivered"], table["ignored by the current mapping, and resolved"]) == (0, 1, 1)


async def test_a_rejected_key_stops_the_replay_and_changes_no_dead_letter(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    append_dead_letter(site, 0, event("happened"))
    ends = site.ends(site.dead_letters)
    done = await dlq("replay", key="wrong")
    assert done.code == 1
    assert "stopped: UNAUTHORIZED" in done.err
    assert "sent but not finished" in done.out
    assert (await dlq.waiting(), site.ends(site.dead_letters)) == ({"MISSING_ID": 1}, ends)
    emulator.faults.add(Fault(status=400, errors=["no"]))
    code, table = await dlq.replayed()
    assert (code, table["failed again: HTTP_400"]) == (1, 1)
    assert (await dlq.listed())["groups"][0]["replayed"] == 1


async def test_a_missing_dead_letter_or_topic_is_reported_in_one_line(site: Site, dlq: Dlq) -> None:
    assert await dlq.waiting() == {}
    assert (await dlq.replayed())[0] == 0
    nothing = await dlq("show", f"{site.dead_letters}:0:0")
    assert (nothing.code, "there is no dead letter at" in nothing.err) == (1, True)
    for wrong in (["show", "here"], ["replay", "--rate", "fast"], ["list", "--since", "yesterday"]):
        assert (await dlq(*wrong)).code == 2
    site.change("kafka", dead_letter_topic="no-such-topic")
    for command in (["list"], ["show", "no-such-topic:0:0"], ["replay"], ["replay", "--dry-run"]):
        missing = await dlq(*command)
        assert (missing.code, missing.out) == (1, "")
        assert "no-such-topic" in missing.err
    site.change("kafka", dead_letter_topic=site.kafka.create_topic(1, cleanup_policy="compact"))
    compacted = await dlq("replay")
    assert (compacted.code, "is compacted" in compacted.err) == (1, True)


async def test_a_scan_ends_at_its_end_offsets_past_markers_and_deleted_records(kafka: KafkaClient) -> None:
    """Transaction markers at the end, deleted records at the beginning, and new records beyond the end."""
    topic = kafka.create_topic()
    kafka.append(topic, 0, [b"%d" % n for n in range(100)])
    kafka.append_in_transaction(topic, [b"100"])
    kafka.append_in_transaction(topic, [b"aborted"], commit=False)
    settings = Settings(kafka=Kafka(bootstrap_servers=kafka.servers, dead_letter_topic=topic))

    def scanned() -> list[bytes | None]:
        with open_dead_letters(settings) as reader:
            survey = reader.survey(lambda *_: None)
            kafka.delete_before(topic, 0, 60)
            kafka.append(topic, 0, [b"later"])
            progress: list[tuple[int, int]] = []
            found = [each.value() for each in reader.records(survey, lambda *now: progress.append(now))]
            assert progress[-1] == (survey.bounds[0][1], survey.bounds[0][1])
            return found

    assert await asyncio.to_thread(scanned) == [b"%d" % n for n in range(60, 101)]
