"""Records that Kafka accepts and its client fails on: each affects only itself, in every command."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Message

from tests.support.dlq_command import Dlq
from tests.support.http_faults import faulty_server, reply
from tests.support.ledger import EVENT, PERSON, TEXT, header
from tests.support.raw_producer import RawProducer
from tests.support.worker_process import Site, until
from worker.core.message_id import MessageIds
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka

NOT_UTF_8 = [(b"traceparent", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"), (b"n\xe4me", b"value")]
MAPPING = """\
topics: [{topic}]
rules:
  - {{when: type == 'happened', call: track, event: Something Happened, userId: person,
     properties: {{n: n, text: text}}}}
  - {{when: type == 'keyed', call: track, event: Keyed, userId: _kafka.key}}
  - {{when: type == 'mapped', mapper: 'hostile_mapper:mapped'}}
  - {{when: type == 'reads', mapper: 'hostile_mapper:reads'}}
  - {{when: type == 'needs', call: track, event: Traced, userId: person, properties: {{trace: _kafka.headers.trace}}}}
  - {{when: "_kafka.headers.kind == 'x'", call: track, event: Never, userId: person}}
"""
MAPPER = """\
from worker import track

def mapped(event):
    return track("Mapped", user_id=event.value["person"])

def reads(event):
    return track("Read", user_id=event.headers.get("person"))
"""


@pytest.fixture
def dlq(site: Site) -> Dlq:
    site.mapping = MAPPING.format(topic=site.topic)
    (site.folder / "config").mkdir()
    (site.folder / "config" / "hostile_mapper.py").write_text(MAPPER)
    return Dlq(site)


def event(kind: str) -> bytes:
    return json.dumps({"type": kind, "person": PERSON, "n": 0, "text": TEXT}).encode()


def why(dead_letter: Message) -> tuple[str | None, str | None]:
    return header(dead_letter, "dlq.stage"), header(dead_letter, "dlq.reason")


READABLE = [(b"person", b"reader")]
"""Of the first record of each kind; the other two have a header whose name is not UTF-8."""

KINDS = {
    "keyed": (event("keyed"), 3, None, 0),
    "mapped": (event("mapped"), 3, None, 0),
    "reads": (event("reads"), 1, ("map", "UNREADABLE_HEADERS"), 2),
    "needs": (event("needs"), 1, ("map", "UNREADABLE_HEADERS"), 2),
    "reaches the last rule": (event("other"), 0, ("map", "UNREADABLE_HEADERS"), 2),
    "not JSON": (b"{", 0, ("decode", "INVALID_JSON"), 3),
    "refused": (event("keyed"), 0, ("deliver", "HTTP_422"), 3),
}
"""By key: the value of three records, how many are delivered, and why how many become dead letters."""


async def test_a_header_name_that_is_not_utf_8_costs_at_most_its_own_record(
    site: Site, dlq: Dlq, emulator: Emulator, raw: RawProducer
) -> None:
    emulator.faults.add(Fault(status=422, errors=["no"], times=None, match={"userId": "refused"}))
    for kind, (value, *_) in KINDS.items():
        for headers in (READABLE, NOT_UTF_8, NOT_UTF_8):
            raw.produce(site.topic, 0, value, key=kind.encode(), headers=headers)
        raw.produce(site.topic, 0, value, headers=NOT_UTF_8)  # compared to the others, it has no key
        raw.flush()
        site.produce(10)
    async with faulty_server(reply(200, b"")) as collector:
        site.change("telemetry", otlp_endpoint=collector.url, trace_sample_ratio=1.0)
        assert await site.run_job(PYTHONFAULTHANDLER="1") == 0
        assert any(request.target == "/v1/traces" for request in collector.requests)
    site.ledger.check()
    assert site.committed() == site.ends()
    dead_letters = site.ledger.dead_letters()
    assert PERSON not in str([each.headers() for each in dead_letters])
    for kind, (value, delivered, verdict, rejected) in KINDS.items():
        its = [each for each in dead_letters if each.key() == kind.encode()]
        assert [why(each) for each in its] == [verdict] * rejected
        left_out = [header(each, "dlq.left_out") for each in its]
        assert left_out == [None, "headers", "headers"][3 - rejected :]
        assert {each.value() for each in its} <= {value}
        assert delivered + rejected in {2, 3}
    taken = [call["userId"] for call in emulator.received.calls() if call["event"] != EVENT]
    assert sorted(taken) == sorted(["keyed"] * 3 + [PERSON] * 5 + ["reader"])


async def test_no_command_fails_on_a_header_name_that_is_not_utf_8(
    site: Site, dlq: Dlq, raw: RawProducer
) -> None:
    for kind, (value, *_) in KINDS.items():
        raw.produce(site.topic, 0, value, key=kind.encode(), headers=NOT_UTF_8)
    raw.flush()
    mapped = dlq.look("map", "--from-topic", site.topic, "--limit", "20")
    assert mapped.code == 1
    reasons = [line.get("rejected", {}).get("reason") for line in mapped.lines]
    assert reasons == [None, None, *["UNREADABLE_HEADERS"] * 3, "INVALID_JSON", None]
    for offset in range(len(KINDS)):
        explained = dlq.look("map", "--explain", f"{site.topic}:0:{offset}")
        assert "headers  cannot be read: a name is not UTF-8" in explained.out
    assert await site.run_job() == 0
    written = await dlq.waiting()
    assert written == {"UNREADABLE_HEADERS": 3, "INVALID_JSON": 1}
    # A record that another program writes to the dead-letter topic is skipped.
    place = [(f"__connect.errors.{name}".encode(), b"0") for name in ("topic", "partition", "offset")]
    raw.produce(site.dead_letters, 0, b"{}", headers=[*place, (b"n\xe4me", b"value")])
    raw.flush()
    assert (await dlq.listed())["foreign"] == 1
    assert await dlq.waiting() == written
    foreign = site.ledger.end(site.dead_letters, 0) - 1
    assert "no dead letter" in (await dlq("show", f"{site.dead_letters}:0:{foreign}")).err
    for dead_letter in site.ledger.dead_letters()[:foreign]:
        shown = await dlq("show", f"{site.dead_letters}:{dead_letter.partition()}:{dead_letter.offset()}")
        assert shown.code == 0
        assert "headers  left out: a header's name is not UTF-8" in shown.out
        assert (header(dead_letter, "dlq.reason") or "") in shown.out
    _, forecast = await dlq.replayed("--dry-run")
    assert forecast["would be rejected again: UNREADABLE_HEADERS"] == 3
    code, _ = await dlq.replayed()
    assert code == 1
    assert await dlq.waiting() == written
    again = [each for each in site.ledger.dead_letters()[foreign + 1 :] if header(each, "dlq.replays") == "1"]
    assert [header(each, "dlq.left_out") for each in again] == ["headers"] * 4


async def test_a_time_below_0_is_none(site: Site, dlq: Dlq, emulator: Emulator, raw: RawProducer) -> None:
    times = [-1, -1, -1001, -5]
    for n, millis in enumerate(times):
        raw.produce(site.topic, 0, event("happened"), key=b"%d" % n, timestamp=millis)
        raw.produce(site.topic, 0, event("mapped"), key=b"%d" % n, timestamp=millis)
        raw.produce(site.topic, 1, b"{", key=b"%d" % n, timestamp=millis)
    raw.flush()
    worker = site.start()
    await until(lambda: site.ledger.taken == 2 * len(times))
    await until(lambda: len(site.ledger.dead_letters()) == len(times))
    status = await worker.status()
    assert await worker.stop() == 0
    assert status["totals"]["freshness_seconds"] is None
    calls = sorted(emulator.received.calls(), key=lambda call: str(call["messageId"]))
    assert not any("timestamp" in call for call in calls)
    ids = MessageIds(str(site.kafka.admin.list_topics(timeout=10).cluster_id))
    assert [call["messageId"] for call in calls] == sorted(
        ids.for_record(0, site.topic, 0, 2 * n + at, "track", name, 0)
        for n in range(len(times))
        for at, name in enumerate((EVENT, "Mapped"))
    )
    assert [header(each, "dlq.timestamp") for each in site.ledger.dead_letters()] == ["-1"] * len(times)
    assert (await dlq("show", f"{site.dead_letters}:1:0")).code == 0
    mapped = dlq.look("map", "--from-topic", site.topic, "--limit", "30")
    printed = [call for line in mapped.lines for call in line.get("calls", [])]
    assert sorted(printed, key=lambda call: str(call["messageId"])) == calls
