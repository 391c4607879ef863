"""The mappings of `benchmarks/mapping.py` that measure what rules can say: names, calls for each item, many rules."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Message

sys.path.insert(0, str(Path(__file__).parent.parent))

from worker.core.message_id import MessageIds
from worker.core.records import Converter, QueuedCall, Record, RejectedRecord
from worker.mapping.mappings import Mappings

TIME = 1_795_255_200_000
"""When the first record was produced, epoch milliseconds."""

MANY = 1000
"""Rules in the largest mapping."""

_NAMED = """
topics: [orders]
{let}
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer.id
    properties: {{a: {a}, b: {others}, c: {others}, d: {others}}}
"""

NAMES = {
    "a path written out once": _NAMED.format(let="", a="data.order.number", others="\"'o-10000000'\""),
    "a let of it used four times": _NAMED.format(
        let="let: {number: data.order.number}", a="$number", others="$number"
    ),
    "an expression written out once": _NAMED.format(
        let="", a='"data.order.number || payload.number"', others="\"'o-10000000'\""
    ),
    "a let of that used four times": _NAMED.format(
        let="let: {number: data.order.number || payload.number}", a="$number", others="$number"
    ),
}
"""Each makes the same call. The first and the third are what the one below them is measured by."""

_RECIPIENT = """
      - call: track
        event: Order Shared
        userId: {item}.id
        timestamp: occurred_at
        properties: {{order_id: order.id, from: customer.id, name: "{item}.name"}}
"""

FOR_EACH = {
    "three rules with a call each, of three records": _RECIPIENT.format(item="recipients[0]"),
    "for_each of three, of one record": _RECIPIENT.format(item="$item") + "        for_each: recipients\n",
    "three calls written out, of one record": "".join(
        _RECIPIENT.format(item=f"recipients[{n}]") for n in range(3)
    ),
}
"""The `calls` of a rule. The first is mapped three times."""


def for_each_mapping(calls: str) -> str:
    """A mapping file with these calls."""
    return f"topics: [orders]\nrules:\n  - when: type == 'order.completed'\n    calls:{calls}"


def many_rules() -> str:
    """A mapping of many rules that compare one field with different texts."""
    rules = "".join(
        f"""
  - when: type == 'kind.{n}'
    call: track
    event: Kind {n}
    userId: customer.id
    timestamp: occurred_at
    properties: {{order_id: order.id, total: order.total, products: "order.lines[].{{sku: sku, name: name}}"}}
"""
        for n in range(MANY)
    )
    return f"topics: [orders]\nrules:{rules}"


def records_of(event: dict[str, Any], number: int) -> list[Record]:
    """Records with this event, as Kafka's client gives them."""
    made: Any = Message  # whose types say that it may have no offset
    value = orjson.dumps(event)
    return [
        made(topic="orders", partition=0, offset=n, key=b"key", value=value, timestamp=(1, TIME + n))
        for n in range(number)
    ]


NAMED_EVENT = {
    "type": "order.completed",
    "customer": {"id": "cust-1"},
    "data": {"order": {"number": "o-10000000", "status": "paid"}},
    "lines": [{"sku": "SKU-100200", "qty": 2}] * 2,
}
SHARED_EVENT = {
    "type": "order.completed",
    "occurred_at": "2026-11-21T10:00:00Z",
    "customer": {"id": "cust-1", "email": "ada@example.com"},
    "order": {
        "id": "o-1",
        "total": 12.5,
        "lines": [{"sku": "SKU-100200", "name": "Blue widget", "qty": 2}] * 3,
    },
    "recipients": [{"id": f"cust-{n}", "name": "Grace", "email": "grace@example.com"} for n in range(3)],
}


def kind_event(number: int) -> dict[str, Any]:
    """An event for one of many rules."""
    return SHARED_EVENT | {"type": f"kind.{number}"}


def repeated(convert: Converter) -> Converter:
    """Map each record three times, as three topics with a rule each would."""

    def thrice(records: Sequence[Record], calls: list[QueuedCall], rejected: list[RejectedRecord]) -> int:
        return sum(convert(records, calls, rejected) for _ in range(3))

    return thrice


def compiling() -> dict[str, float]:
    """What compiling many rules costs, in a process of its own: CPU seconds and MiB."""
    program = [sys.executable, __file__]
    answer: dict[str, float] = json.loads(subprocess.run(program, check=True, capture_output=True).stdout)
    return answer


def _status(name: str) -> int:
    """A size of this process, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Compile many rules, and print what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.yaml"
        path.write_text(many_rules())
        mappings = Mappings.load([str(path)], mapper_path=[], base=Path(folder), dead_letter_topic="dead")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again
        before = _status("VmRSS")
        began = time.process_time()
        mappings.converter("orders", MessageIds("benchmark"))
        seconds = time.process_time() - began
        kilobytes = _status("VmHWM") - before
    print(json.dumps({"seconds": seconds, "MiB": kilobytes / 1024}))


if __name__ == "__main__":
    main()
