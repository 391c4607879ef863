"""Bad input on a real Kafka: each record gets the right dead letter, or none, and affects no other record."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from confluent_kafka import Message

from tests.support.kafka_client import Headers, KafkaClient
from tests.support.ledger import PERSON, TEXT, header
from tests.support.worker_process import Site
from worker.customerio.limits import MAX_CALL_BYTES
from worker.emulator import Emulator, Fault
from worker.emulator.received import Query
from worker.version import __version__

pytestmark = pytest.mark.kafka

ADA = f"{PERSON}-bad"
HEADERS: Headers = [
    ("trace", b"\xff\x00"),
    ("again", b"1"),
    ("again", None),
    ("__connect.errors.topic", b"mine"),
]
AN_HOUR_AGO = int(time.time() - 3600) * 1000 + 123

MAPPING = """\
topics: [{topic}]
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
    timestamp: at
    properties: {{n: n, text: text}}
  - when: type == 'twice'
    calls:
      - {{call: identify, userId: person, traits: {{text: text}}}}
      - {{call: track, event: Something Happened, userId: person}}
"""

MAPPER = """\
import itertools, time
from worker import Reject, delete_user, track

def mapped(event):
    person = event.value["person"]
    match event.value["kind"]:
        case "raises":
            raise ValueError(person)
        case "junk":
            return 42
        case "junk within":
            return [track("Fine", user_id=person), person]
        case "forever":
            return (track("Again", user_id=person) for _ in itertools.count())
        case "rejects":
            raise Reject("TOO_OLD")
        case "rejects with a sentence":
            raise Reject(person)
        case "number as id":
            return {"type": "track", "event": "Fine", "userId": 5}
        case "not allowed":
            return delete_user(user_id=person)
        case "nothing":
            return None
        case "slow":
            time.sleep(1.1)
            return track("Slow", user_id=person)
        case "loops within itself":
            loop = {}
            loop["loop"] = loop
            return track("Looping", user_id=person, properties=loop)
        case "exits":
            raise SystemExit(person)
"""


def happened(**fields: Any) -> bytes:
    return json.dumps({"type": "happened", "person": ADA, "n": 0, "text": TEXT, **fields}).encode()


BAD = {
    "not JSON": (b"{broken " + ADA.encode(), "decode", "INVALID_JSON"),
    "cut short": (happened()[:-1], "decode", "INVALID_JSON"),
    "nothing at all": (b"", "decode", "EMPTY_VALUE"),
    "a list": (b"[1]", "decode", "NOT_AN_OBJECT"),
    "a text": (b'"ada.lovelace"', "decode", "NOT_AN_OBJECT"),
    "null": (b"null", "decode", "NOT_AN_OBJECT"),
    "NaN": (happened(n=float("nan")), "decode", "INVALID_JSON"),
    "Infinity": (happened(n=float("inf")), "decode", "INVALID_JSON"),
    "half a surrogate pair": (happened(text="\ud800"), "decode", "INVALID_JSON"),
    "not UTF-8": (happened(text="?").replace(b"?", b"\xff"), "decode", "INVALID_JSON"),
    "300 levels": (happened(n=0).replace(b"0", b"[" * 300 + b"]" * 300), "decode", "TOO_DEEP"),
    "no id": (b'{"type": "happened"}', "validate", "MISSING_ID"),
    "null as id": (happened(person=None), "validate", "MISSING_ID"),
    "empty id": (happened(person=""), "validate", "MISSING_ID"),
    "blank id": (happened(person=" \u00a0\t"), "validate", "MISSING_ID"),
    "undefined as id": (happened(person="Undefined"), "validate", "FORBIDDEN_ID"),
    "true as id": (happened(person=True), "validate", "INVALID_ID"),
    "object as id": (happened(person={"id": ADA}), "validate", "INVALID_ID"),
    "fraction as id": (happened(person=1.5), "validate", "INVALID_ID"),
    "id of 30 digits": (happened(person=10**29), "validate", "INEXACT_NUMBER"),
    "number of 30 digits": (happened(n=10**29), "validate", "INEXACT_NUMBER"),
    "time in words": (happened(at=f"tomorrow {ADA}"), "validate", "INVALID_TIMESTAMP"),
    "no such day": (happened(at="2026-02-30T10:00:00Z"), "validate", "INVALID_TIMESTAMP"),
}

BAD_MAPPERS = {
    "raises": ("map", "MAPPER_FAILED"),
    "junk": ("map", "MAPPER_RETURNED_JUNK"),
    "junk within": ("map", "MAPPER_RETURNED_JUNK"),
    "forever": ("map", "TOO_MANY_CALLS"),
    "rejects": ("map", "TOO_OLD"),
    "rejects with a sentence": ("map", "MAPPER_REJECTED"),
    "number as id": ("validate", "INVALID_ID"),
    "not allowed": ("validate", "NOT_ALLOWED"),
    "loops within itself": ("validate", "TOO_DEEP"),
    "exits": ("map", "MAPPER_FAILED"),
}


def headers(dead_letter: Message) -> list[tuple[str, bytes | None]]:
    found: Any = dead_letter.headers()
    return list(found)


def why(dead_letter: Message) -> tuple[str | None, str | None]:
    return header(dead_letter, "dlq.stage"), header(dead_letter, "dlq.reason")


def check_privacy(dead_letters: list[Message]) -> None:
    """None of the worker's headers contains personal data or payload."""
    for dead_letter in dead_letters:
        ours = [value for _, value in headers(dead_letter)[-20:] if value is not None]
        for private in (PERSON.encode(), TEXT.encode()):
            assert not any(private in value for value in ours), ours


@pytest.mark.essential
async def test_each_bad_record_gets_its_dead_letter_and_its_neighbours_are_delivered(
    site: Site, kafka: KafkaClient
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    for name, (value, _, _) in BAD.items():
        kafka.append(site.topic, 1, [value], key=name.encode(), headers=HEADERS, timestamp=AN_HOUR_AGO)
        site.produce(10)
    kafka.append(site.topic, 0, [b'{"type": "other"}', None])
    began = time.time()
    assert await site.run_job() == 0
    site.ledger.check()
    assert site.committed() == site.ends()
    dead_letters = {
        (dead_letter.key() or b"").decode(): dead_letter for dead_letter in site.ledger.dead_letters()
    }
    assert {name: why(dead_letter) for name, dead_letter in dead_letters.items()} == {
        name: (stage, reason) for name, (_, stage, reason) in BAD.items()
    }
    for name, dead_letter in dead_letters.items():
        assert (dead_letter.value(), dead_letter.partition()) == (BAD[name][0], 1)
        assert headers(dead_letter)[: len(HEADERS)] == HEADERS
        assert dead_letter.timestamp()[1] / 1000 >= began - 1
    check_privacy(list(dead_letters.values()))


async def test_the_headers_of_a_dead_letter_name_its_source_and_reason(
    site: Site, kafka: KafkaClient
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    kafka.append(site.topic, 1, [b"{}", b"{broken"], key=b"k", timestamp=AN_HOUR_AGO)
    kafka.append(site.topic, 1, [happened(person="")], timestamp=AN_HOUR_AGO)
    assert await site.run_job() == 0
    broken, nobody = (dict(headers(dead_letter)) for dead_letter in site.ledger.dead_letters())
    cluster = kafka.admin.list_topics(timeout=10).cluster_id
    assert cluster
    common = {
        "__connect.errors.topic": site.topic.encode(),
        "__connect.errors.partition": b"1",
        "__connect.errors.exception.class.name": b"worker.core.reasons.Rejected",
        "dlq.attempts": b"0",
        "dlq.replays": b"0",
        "dlq.worker_version": __version__.encode(),
        "dlq.timestamp": str(AN_HOUR_AGO).encode(),
        "dlq.cluster_id": cluster.encode(),
    }
    assert broken.pop("dlq.failed_at", b"").endswith(b"Z")
    assert nobody.pop("dlq.failed_at", b"").endswith(b"Z")
    assert broken == {
        **common,
        "__connect.errors.offset": b"1",
        "__connect.errors.stage": b"VALUE_CONVERTER",
        "__connect.errors.exception.message": b"INVALID_JSON: The value stops being JSON at byte 1.",
        "dlq.stage": b"decode",
        "dlq.reason": b"INVALID_JSON",
    }
    assert nobody == {
        **common,
        "__connect.errors.offset": b"2",
        "__connect.errors.stage": b"TRANSFORMATION",
        "__connect.errors.exception.message": nobody["__connect.errors.exception.message"],
        "dlq.stage": b"validate",
        "dlq.reason": b"MISSING_ID",
        "dlq.call_index": b"0",
        "dlq.rule": b"config/mappings/events.yaml:3",
    }


async def test_calls_are_measured_in_utf_8_bytes_and_32000_are_the_most(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    frame = len(
        orjson.dumps(
            {
                "type": "track",
                "event": "Something Happened",
                "userId": ADA,
                "properties": {"n": 0, "text": ""},
                "timestamp": "2026-11-21T10:00:00.000Z",
                "messageId": "0" * 26,
            }
        )
    )
    room = MAX_CALL_BYTES - frame
    emoji = "😀" * (room // 4)
    fitting = ["x" * room, emoji + "y" * (room % 4), "é" * (room // 2) + "y" * (room % 2)]
    kafka.append(site.topic, values=[happened(text=text) for text in fitting], key=b"fits")
    kafka.append(site.topic, values=[happened(text=text + "y") for text in fitting], key=b"too large")
    assert await site.run_job() == 0
    assert [len(entry.raw) for entry in emulator.received.entries(Query())] == [MAX_CALL_BYTES] * 3
    assert [call["properties"]["text"] for call in emulator.received.calls()] == fitting
    dead_letters = site.ledger.dead_letters()
    assert [why(dead_letter) for dead_letter in dead_letters] == [("validate", "CALL_TOO_LARGE")] * 3
    assert {dead_letter.key() for dead_letter in dead_letters} == {b"too large"}


async def test_whole_numbers_as_ids_become_their_exact_decimal_text(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    numbers = [0, -7, 2**53 + 1, 2**63 - 1, 2**64 - 1]
    kafka.append(site.topic, values=[happened(person=number) for number in numbers], key=b"k")
    assert await site.run_job() == 0
    assert [call["userId"] for call in emulator.received.calls()] == [str(number) for number in numbers]
    assert site.ledger.dead_letters() == []


async def test_a_mapper_that_misbehaves_costs_its_own_record_only(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    site.mapping = (
        f"topics: [{site.topic}]\nrules:\n  - {{mapper: 'own:mapped', when: kind}}\n"
        + "\n".join(MAPPING.splitlines()[2:8]).format()
    )
    (site.folder / "config").mkdir()
    (site.folder / "config" / "own.py").write_text(MAPPER)
    for kind in [*BAD_MAPPERS, "nothing", "slow"]:
        kafka.append(
            site.topic, values=[json.dumps({"kind": kind, "person": ADA}).encode()], key=kind.encode()
        )
        site.ledger.produce(site.topic, 10, people=5, partitions=2)
    assert await site.run_job() == 0
    assert [call["userId"] for call in emulator.received.calls(Query(event="Slow"))] == [ADA]
    dead_letters = {
        (dead_letter.key() or b"").decode(): dead_letter for dead_letter in site.ledger.dead_letters()
    }
    assert {name: why(dead_letter) for name, dead_letter in dead_letters.items()} == BAD_MAPPERS
    check_privacy(list(dead_letters.values()))
    assert "own.py" in str(header(dead_letters["raises"], "__connect.errors.exception.message"))
    (slow,) = site.workers[0].told("mapper_was_slow")
    assert slow["mapper"] == "own:mapped"
    assert slow["seconds"] >= 1.1
    site.ledger.check()


async def test_a_refused_call_is_dead_lettered_once_with_the_apis_redacted_message(
    site: Site, kafka: KafkaClient, emulator: Emulator
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    words = [f"userId {ADA} is on no list", "event is unknown"]
    emulator.faults.add(Fault(status=422, errors=words, times=None, match={"userId": ADA, "type": "track"}))
    site.produce(50)
    value = json.dumps({"type": "twice", "person": ADA, "text": TEXT}).encode()
    kafka.append(site.topic, 0, [value], key=b"k")
    site.produce(50)
    assert await site.run_job() == 0
    (identified,) = emulator.received.calls(Query(type="identify"))
    assert identified["userId"] == ADA
    (dead_letter,) = site.ledger.dead_letters()
    assert (dead_letter.key(), dead_letter.value()) == (b"k", value)
    assert why(dead_letter) == ("deliver", "HTTP_422")
    assert header(dead_letter, "dlq.status") == "422"
    assert header(dead_letter, "dlq.call_index") == "1"
    assert header(dead_letter, "__connect.errors.stage") == "TASK_PUT"
    assert int(header(dead_letter, "dlq.attempts") or 0) >= 1
    assert json.loads(header(dead_letter, "dlq.errors") or "[]") == [
        "userId … is on no list",
        "event is unknown",
    ]
    check_privacy([dead_letter])
