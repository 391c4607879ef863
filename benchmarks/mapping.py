"""What it costs to turn a record into a call: a compiled rule against the same work written by hand.

`python benchmarks/mapping.py` needs no Kafka. All ways run in one process, in turn, round after round, on the records
that Kafka's client gives. Every figure is a ratio within a round: this machine's speed is not a result.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Message

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import language
from benchmarks.events import MAPPING, SCHEMA, WHOLE, binary_headers, changed, data, event, structured
from tests.support.mapping_reference import Reference
from worker.core.message_id import PAIRS, MessageIds, Middles, beginning, ends
from worker.core.records import RULE, Converter, QueuedCall, Record, RejectedRecord
from worker.core.timestamps import rfc3339
from worker.documents.document import parse
from worker.documents.problems import Problem
from worker.mapping.files.reader import read_mapping
from worker.mapping.mappings import Mappings

TIME = 1_795_255_200_000
"""When the first record was produced, epoch milliseconds; a thousand follow each second."""

IDS = MessageIds("benchmark")
MIDDLES = Middles(IDS, "orders", [("track", "Order Completed")])
ENDS = ends(0)
NOBODY = frozenset({"null", "undefined", "none", "nan", "[object Object]"})
MAX_CALL_BYTES = 32_000

RUN = 250
"""How many records are converted at a time."""

FRESH = 50
"""The same for records that are made just before."""

MAPPER_RULE = """
topics: [orders]
rules:
  - when: type == 'order.completed'
    mapper: orders:completed
"""

MAPPER = """
from worker import Event, track

def completed(event: Event):
    order = event.value["order"]
    lines = [
        {"sku": line["sku"], "name": line["name"], "quantity": line["qty"], "price": line["price"]}
        for line in order["lines"]
    ]
    return track(
        "Order Completed",
        user_id=event.value["customer"]["id"],
        timestamp=event.value["occurred_at"],
        properties={"order_id": order["id"], "total": order["total"], "currency": "USD", "products": lines},
    )
"""


def by_hand(records: Sequence[Record], calls: list[QueuedCall], _: list[RejectedRecord]) -> int:
    """What the rule does, as one would write it for this one event."""
    ignored = 0
    time_high = offset_high = -1
    for record in records:
        event = orjson.loads(record.value() or b"")
        if event["type"] != "order.completed":
            ignored += 1
            continue
        user_id = event["customer"]["id"]
        if type(user_id) is not str or not user_id.strip() or user_id.lower() in NOBODY:
            raise ValueError("no id")
        order = event["order"]
        millis, offset = record.timestamp()[1], record.offset()
        if millis >> 10 != time_high:
            time_high, time_text = millis >> 10, beginning(millis)
        if offset >> 12 != offset_high:
            offset_high, middle = offset >> 12, MIDDLES.of(record.partition(), offset)[0][0]
        call = {
            "type": "track",
            "userId": user_id,
            "event": "Order Completed",
            "properties": {
                "order_id": order["id"],
                "total": order["total"],
                "currency": "USD",
                "products": [
                    {
                        "sku": line["sku"],
                        "name": line["name"],
                        "quantity": line["qty"],
                        "price": line["price"],
                    }
                    for line in order["lines"]
                ],
            },
            "timestamp": rfc3339(event["occurred_at"]),
            "messageId": f"{time_text}{PAIRS[millis & 1023]}{middle}{ENDS[offset & 4095]}",
        }
        body = orjson.dumps(call)
        if len(body) > MAX_CALL_BYTES:
            raise ValueError("too large")
        calls.append((record.key() or offset, body + b",", record, 0, b"", "by hand"))
    return ignored


def by_library(mapping: str) -> Converter:
    """The rule interpreted by the `jmespath` library."""
    problems: list[Problem] = []
    file = read_mapping(parse(mapping, "orders.yaml"), problems)
    assert file is not None
    reference = Reference(file, IDS)

    def convert(records: Sequence[Record], calls: list[QueuedCall], _: list[RejectedRecord]) -> int:
        for record in records:
            for index, (body, context) in enumerate(reference.convert(record)):
                calls.append(
                    (record.key() or record.offset(), body + b",", record, index, context, "by library")
                )
        return 0

    return convert


def ways(folder: Path) -> dict[str, Converter]:
    """Everything that is compared, by name; the first is what the others are measured by."""
    (folder / "orders.py").write_text(MAPPER)
    return {
        "a function written by hand": by_hand,
        "compiled rule, event decoded whole": compiled(folder, MAPPING + WHOLE),
        "compiled rule, what it reads decoded": compiled(folder, MAPPING),
        "rule by the jmespath library": by_library(MAPPING),
        "Python mapper": compiled(folder, MAPPER_RULE),
    }


def compiled(folder: Path, mapping: str) -> Converter:
    """The converter that the worker runs for a mapping file."""
    (folder / "orders.yaml").write_text(mapping)
    mappings = Mappings.load(
        [str(folder / "orders.yaml")],
        mapper_path=[str(folder)],
        base=folder,
        dead_letter_topic="dead",
        future=300.0,
        profile="warn",
    )
    converter = mappings.converter("orders", IDS, on_notice=lambda *_: None)
    assert converter is not None
    return converter


def records(number: int) -> list[Record]:
    """Records as Kafka's client gives them, of one partition."""
    made: Any = Message  # whose types say that it may have no offset
    return [
        made(topic="orders", partition=0, offset=n, key=b"key", value=event(n), timestamp=(1, TIME + n))
        for n in range(number)
    ]


def seconds(way: Converter, of: list[Record]) -> float:
    """CPU time for these records, run by run; each run's calls are dropped behind it."""
    began = time.process_time()
    for start in range(0, len(of), RUN):
        way(of[start : start + RUN], [], [])
    return time.process_time() - began


def seconds_of_fresh(way: Converter, of: list[Record]) -> float:
    """As `seconds`, with values and headers in the cache: the client makes them at the moment they are asked for."""
    spent = 0.0
    for start in range(0, len(of), FRESH):
        run = [fresh(each) for each in of[start : start + FRESH]]
        began = time.process_time()
        way(run, [], [])
        spent += time.process_time() - began
    return spent


def fresh(record: Record) -> Record:
    """A copy of a record."""
    copied: Any = Message
    headers = [(f"{name} "[:-1], bytes(bytearray(value or b""))) for name, value in record.headers() or []]
    message: Record = copied(
        topic="orders",
        partition=0,
        offset=record.offset(),
        key=record.key(),
        timestamp=record.timestamp(),
        value=bytes(bytearray(record.value() or b"")),
        headers=headers or None,
    )
    return message


def made(way: Converter, of: list[Record]) -> list[tuple[object, ...]]:
    """What a way makes of records, but for the rule's name."""
    calls: list[QueuedCall] = []
    way(of, calls, [])
    return [call[:RULE] for call in calls]


def compare(compared: dict[str, Converter], of: dict[str, list[Record]], rounds: int) -> None:
    """Run all ways in turn and print what came of it.

    Args:
        compared: the ways; the first is what the others are measured by.
        of: the records of each way, if not those of the first.
        rounds: how often.
    """
    first = next(iter(compared))
    runs: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(rounds):
        for name, way in compared.items():
            given = of.get(name, of[first])
            runs[name].append(seconds(way, given) / len(given) * 1e6)
    print(f"{'':48} {'min':>6} {'median':>7} {'min':>7} {'median':>7}")
    for name, run in runs.items():
        ratio = statistics.median(one / other for one, other in zip(run, runs[first], strict=True))
        least = min(run) / min(runs[first])
        print(f"{name:48} {min(run):6.2f} {statistics.median(run):7.2f} {least:7.2f} {ratio:7.2f}")
    print()


def all_rows(events: int, rounds: int) -> None:
    """Compare the ways to make an order's call; then what a rule's names, items and neighbours cost."""
    gc.freeze()  # as the worker does
    gc.set_threshold(50_000, 20, 100)
    of = records(events)
    print(f"{events:,} events a round, {rounds} rounds; CPU µs an event, and by that of the first")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compared = ways(folder)
        first, *others = compared.values()
        for way in others:
            assert made(way, of) == made(first, of), "they do not make the same call"
        compare(compared, {next(iter(compared)): of}, rounds)
        language_rows(folder, events, rounds)


def language_rows(folder: Path, events: int, rounds: int) -> None:
    """The mappings of `benchmarks/language.py`."""
    of = language.records_of(language.NAMED_EVENT, events)
    names = {name: compiled(folder, mapping) for name, mapping in language.NAMES.items()}
    expected = made(next(iter(names.values())), of)
    assert all(made(way, of) == expected for way in names.values()), "they do not make the same call"
    pairs = list(names.items())
    compare(dict(pairs[:2]), {pairs[0][0]: of}, rounds)
    compare(dict(pairs[2:]), {pairs[2][0]: of}, rounds)
    of = language.records_of(language.SHARED_EVENT, events)
    each = {
        name: compiled(folder, language.for_each_mapping(calls)) for name, calls in language.FOR_EACH.items()
    }
    first = next(iter(each))
    each[first] = language.repeated(each[first])
    assert len({len(made(way, of)) for way in each.values()}) == 1, "they do not make as many calls"
    compare(each, {first: of}, rounds)
    many = compiled(folder, language.many_rules())
    kinds = {f"rule {n + 1} of {language.MANY:,}": n for n in (0, language.MANY // 2, language.MANY - 1)}
    of_kinds = {name: language.records_of(language.kind_event(n), events) for name, n in kinds.items()}
    compare(dict.fromkeys(kinds, many), of_kinds, rounds)
    cost = language.compiling()
    print(
        f"{language.MANY:,} rules are compiled in {cost['seconds']:.2f} CPU s, with {cost['MiB']:.0f} MiB more"
    )


def compare_envelopes(events: int, rounds: int) -> None:
    """Run the rule on the same orders in each envelope, in turn, and print the cost by that of the plain ones."""
    of = records(events)
    with tempfile.TemporaryDirectory() as folder:
        compared = enveloped(Path(folder), of)
        runs: dict[str, list[float]] = {name: [] for name in compared}
        for _ in range(rounds):
            for name, (way, its) in compared.items():
                runs[name].append(seconds_of_fresh(way, its) / events * 1e6)
    print(
        "\nThe same orders in envelopes; CPU µs an event, and by that of the plain one with the same fields"
    )
    for name, plain in BY_PLAIN.items():
        ratio = statistics.median(one / other for one, other in zip(runs[name], runs[plain], strict=True))
        least = min(runs[name]) / min(runs[plain])
        print(
            f"{name:38} {min(runs[name]):6.2f} {statistics.median(runs[name]):7.2f} {least:7.2f} {ratio:7.2f}"
        )


PLAIN, PLAIN_ID = "plain", "plain, its own messageId"

BY_PLAIN = {
    PLAIN: PLAIN,
    "Debezium, with its schema": PLAIN,
    "Debezium, without": PLAIN,
    "Connect, with its schema": PLAIN,
    PLAIN_ID: PLAIN_ID,
    "CloudEvents, structured": PLAIN_ID,
    "CloudEvents, binary": PLAIN_ID,
}
"""Each envelope, and the plain events that it is measured by: a CloudEvent has an id and a time for every call."""


def enveloped(folder: Path, of: list[Record]) -> dict[str, tuple[Converter, list[Record]]]:
    """The converter and the records of each row of `BY_PLAIN`."""
    own_id = MAPPING.replace("    properties:\n", "    messageId: id\n    properties:\n")
    of_event = MAPPING.replace("    timestamp: occurred_at\n", "").replace("when: type", "when: _ce.type")
    cloudevents = compiled(folder, f"envelope: cloudevents{of_event}")
    debezium = compiled(
        folder, f"envelope: debezium{MAPPING}".replace("when: type", "when: _change.op == 'create' && type")
    )
    connect = compiled(folder, f"envelope: connect{MAPPING}")
    schema = orjson.dumps(SCHEMA)
    return {
        PLAIN: (compiled(folder, MAPPING), of),
        "Debezium, with its schema": (debezium, again(of, changed)),
        "Debezium, without": (
            debezium,
            again(of, lambda value: orjson.dumps(orjson.loads(changed(value))["payload"])),
        ),
        "Connect, with its schema": (
            connect,
            again(of, lambda value: b'{"schema":%b,"payload":%b}' % (schema, value)),
        ),
        PLAIN_ID: (compiled(folder, own_id), of),
        "CloudEvents, structured": (cloudevents, again(of, structured)),
        "CloudEvents, binary": (cloudevents, again(of, data, binary_headers)),
    }


def again(
    of: list[Record],
    wrap: Callable[[bytes], bytes],
    headers_of: Callable[[bytes], list[tuple[str, bytes | None]]] | None = None,
) -> list[Record]:
    """The same records with other values, and with headers."""
    made: Any = Message
    return [
        made(
            topic="orders", partition=0, offset=each.offset(), key=each.key(), timestamp=each.timestamp(),
            value=wrap(each.value() or b""), headers=headers_of(each.value() or b"") if headers_of else None,
        )
        for each in of
    ]  # fmt: skip


def main() -> None:
    """Compare."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=2_000)
    arguments.add_argument("--rounds", type=int, default=100)
    arguments.add_argument("--quick", action="store_true", help="a few seconds: 10 rounds")
    chosen = arguments.parse_args()
    rounds = 10 if chosen.quick else chosen.rounds
    all_rows(chosen.events, rounds)
    compare_envelopes(chosen.events, rounds)


if __name__ == "__main__":
    main()
