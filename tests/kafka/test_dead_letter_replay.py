"""Ten thousand dead letters with six reasons on a real Kafka: counted, inspected, repaired, replayed."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import defaultdict
from collections.abc import Iterable

import pytest

from tests.support.dlq_command import Dlq
from tests.support.ledger import EVENT, PERSON, TEXT
from tests.support.worker_process import Site, until
from worker.core.message_id import MessageIds
from worker.emulator import Emulator, Fault
from worker.emulator.received import Query

pytestmark = pytest.mark.kafka

LETTERS = 10_000
REFUSED = 60
PEOPLE = 40

BROKEN = """\
topics: [{topic}]
unmatched: dead_letter
rules:
  - {{when: type == 'no id', call: track, event: Something Happened, userId: nobody, properties: {{n: n}}}}
  - {{when: type == 'wrong id', call: track, event: Something Happened, userId: "'undefined'", properties: {{n: n}}}}
  - {{when: type == 'wrong time', call: track, event: Something Happened, userId: who, timestamp: who}}
  - {{when: type == 'refused', call: track, event: Refused, userId: who, properties: {{n: n}}}}
"""
REPAIRED = """\
topics: [{topic}]
unmatched: dead_letter
rules:
  - when: type == 'no id' || type == 'wrong id' || type == 'wrong time'
    {{call: track, event: Something Happened, userId: who, properties: {{n: n}}}}
  - {{when: type == 'refused', call: track, event: Refused, userId: who, properties: {{n: n}}}}
""".replace(
    "    {{call: track, event: Something Happened, userId: who, properties: {{n: n}}}}",
    """\
    call: track
    event: Something Happened
    userId: who
    properties: {{n: n}}""",
)

KINDS = {
    "no id": "MISSING_ID",
    "wrong id": "FORBIDDEN_ID",
    "wrong time": "INVALID_TIMESTAMP",
    "not JSON": "INVALID_JSON",
    "of no rule": "UNMATCHED",
}
REPAIRABLE = ("no id", "wrong id", "wrong time")


class History:
    """What was produced, by kind; a person is always in the same partition."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self.places: dict[int, tuple[int, int]] = {}
        ends = [0, 0]
        for n in range(LETTERS):
            kind = (
                "refused" if n % (LETTERS // REFUSED) == 0 and n // (LETTERS // REFUSED) < REFUSED else None
            )
            kind = kind or list(KINDS)[n % len(KINDS)]
            partition = n % PEOPLE % 2
            who = f"{PERSON}-{n % PEOPLE}"
            value = json.dumps({"type": kind, "who": who, "n": n, "text": TEXT}).encode()
            if kind == "not JSON":
                value = value[:-1]
            site.kafka.enqueue(site.topic, partition, value, key=who.encode())
            self.numbers[kind].append(n)
            self.places[n] = (partition, ends[partition])
            ends[partition] += 1
        site.kafka.flush()

    def expect(self, emulator: Emulator, event: str, kinds: Iterable[str]) -> None:
        """Each of these kinds came, no other, none under a second id, each person's in order."""
        expected: dict[str, list[int]] = defaultdict(list)
        for n in sorted(n for kind in kinds for n in self.numbers[kind]):
            expected[f"{PERSON}-{n % PEOPLE}"].append(n)
        came: dict[str, list[int]] = defaultdict(list)
        for call in emulator.received.calls(Query(event=event)):
            came[call["userId"]].append(call["properties"]["n"])
        assert {who: sorted(numbers) for who, numbers in came.items()} == expected
        assert emulator.received.counts["duplicates_different"] == 0
        assert emulator.traffic.shared_a_person == 0

    def expect_order(self, emulator: Emulator, event: str, kinds: Iterable[str]) -> None:
        """Within what one replay was asked for, each person's calls came in order."""
        wanted = {n for kind in kinds for n in self.numbers[kind]}
        came: dict[str, list[int]] = defaultdict(list)
        for call in emulator.received.calls(Query(event=event)):
            if call["properties"]["n"] in wanted:
                came[call["userId"]].append(call["properties"]["n"])
        for numbers in came.values():
            assert numbers == sorted(numbers)

    def expect_first_ids(self, emulator: Emulator, event: str, kinds: Iterable[str]) -> None:
        """Each id is the one that the record's first attempt would have had."""
        ids = MessageIds(str(self.site.kafka.admin.list_topics().cluster_id))
        topic = self.site.topic
        times = {
            (partition, message.offset()): message.timestamp()[1]
            for partition in (0, 1)
            for message in self.site.kafka.read(topic, LETTERS // 2, partition)
        }
        wanted = {n for kind in kinds for n in self.numbers[kind]}
        for call in emulator.received.calls(Query(event=event)):
            n = call["properties"]["n"]
            assert n in wanted
            place = self.places[n]
            assert call["messageId"] == ids.for_record(times[place], topic, *place, "track", event, 0)


@pytest.fixture
def dlq(site: Site) -> Dlq:
    return Dlq(site)


@pytest.mark.timeout(240)
async def test_ten_thousand_dead_letters_are_fixed_and_replayed_through_a_crash_without_loss(
    site: Site, dlq: Dlq, emulator: Emulator
) -> None:
    history = History(site)
    site.mapping = BROKEN.format(topic=site.topic)
    site.change("dead_letters", halt_after_consecutive=10**9, halt_above_ratio=1.0)
    site.change("batch", max_calls=200)
    emulator.faults.add(Fault(status=400, errors=["no"], times=None, match={"event": "Refused"}))
    assert await site.run_job() == 0
    emulator.faults.clear()
    assert emulator.received.counts["taken"] == 0
    reasons = {reason: len(history.numbers[kind]) for kind, reason in KINDS.items()} | {"HTTP_400": REFUSED}

    await looks_change_nothing(site, dlq, emulator, reasons)

    site.mapping = REPAIRED.format(topic=site.topic)
    code, table = await dlq.replayed("--reason", "MISSING_ID")
    assert (code, table["delivered"]) == (0, reasons.pop("MISSING_ID"))
    history.expect(emulator, EVENT, ["no id"])
    assert await dlq.waiting() == reasons

    emulator.faults.add(Fault(delay=0.1, times=None))
    process = dlq.start("replay", "--rate", "40/s")
    await until(lambda: emulator.received.counts["taken"] > len(history.numbers["no id"]) + 1000)
    process.kill()
    await asyncio.to_thread(process.communicate)
    assert process.returncode == -signal.SIGKILL
    assert emulator.received.counts["taken"] < LETTERS - reasons["INVALID_JSON"] - reasons["UNMATCHED"]
    emulator.faults.clear()

    code, table = await dlq.replayed()
    assert code == 1
    assert table["failed again: UNMATCHED"] <= reasons["UNMATCHED"]
    history.expect(emulator, EVENT, REPAIRABLE)
    history.expect(emulator, "Refused", ["refused"])
    history.expect_order(emulator, EVENT, ["wrong id", "wrong time"])
    history.expect_first_ids(emulator, EVENT, REPAIRABLE)
    history.expect_first_ids(emulator, "Refused", ["refused"])
    still = {"INVALID_JSON": reasons["INVALID_JSON"], "UNMATCHED": reasons["UNMATCHED"]}
    listed = await dlq.listed()
    assert {group["reason"]: group["count"] for group in listed["groups"]} == still
    assert all(group["replayed"] == group["count"] for group in listed["groups"])
    assert site.ends() == [LETTERS // 2, LETTERS // 2]  # nothing was written to the topic that they came from
    for private in (PERSON, TEXT):
        assert private not in dlq.said


async def looks_change_nothing(site: Site, dlq: Dlq, emulator: Emulator, reasons: dict[str, int]) -> None:
    """List, show and dry run: right, and without a trace."""
    ends, committed = site.ends(site.dead_letters), site.committed()
    listed = await dlq.listed()
    assert {group["reason"]: group["count"] for group in listed["groups"]} == reasons
    assert (listed["waiting"], listed["resolved"], listed["failed_again"]) == (LETTERS, 0, 0)
    assert {group["topic"] for group in listed["groups"]} == {site.topic}
    assert await dlq.waiting("--stage", "deliver", "--since", "1h") == {"HTTP_400": REFUSED}
    assert await dlq.waiting("--until", "1h") == {}
    assert await dlq.waiting("--topic", "another") == {}
    table = (await dlq("list")).out
    assert all(reason in table for reason in reasons)
    example = next(group["example"] for group in listed["groups"] if group["reason"] == "FORBIDDEN_ID")
    shown = (await dlq("show", example)).out
    assert "state    waiting\n" in shown
    assert "would be rejected again: validate: FORBIDDEN_ID" in shown
    mapping, site.mapping = site.mapping, REPAIRED.format(topic=site.topic)
    assert "would send 1 call:" in (await dlq("show", example)).out
    said, shown = dlq.said, (await dlq("show", example, "--reveal")).out
    assert PERSON in shown
    dlq.said = said
    code, forecast = await dlq.replayed("--dry-run")
    site.mapping = mapping
    assert code == 0
    assert forecast["would be rejected again: INVALID_JSON"] == reasons["INVALID_JSON"]
    assert forecast["would be rejected again: UNMATCHED"] == reasons["UNMATCHED"]
    deliverable = sum(n for name, n in forecast.items() if name.startswith("would be delivered"))
    assert deliverable == LETTERS - reasons["INVALID_JSON"] - reasons["UNMATCHED"]
    assert (site.ends(site.dead_letters), site.committed()) == (ends, committed)
    assert emulator.received.counts["taken"] == 0
