"""The events that benchmarks move, and the mappings that they go through.

Every event is the same kind of order, so that the floor's hand-written mapping fits all of them; `mapper.py` is that
mapping as a user would write it in Python.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

Event = tuple[bytes, bytes]
"""A record's key and value."""

LINES = (
    {"sku": "SKU-100200", "name": "Blue widget", "qty": 2, "price": 19.99},
    {"sku": "SKU-300400", "name": "Red widget, large", "qty": 1, "price": 39.5},
)

KEYS = 5_000
"""Customers of the usual events."""

LARGE = 297
"""Order lines of an event of 20 kB."""

MAPPING = """
topics: [orders]
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer.id
    timestamp: occurred_at
    properties:
      order_id: order.id
      total: order.total
      currency: "'USD'"
      products: "order.lines[].{sku: sku, name: name, quantity: qty, price: price}"
"""

PEER = MAPPING.replace("""currency: "'USD'"\n""", "currency: order.currency\n      coupon: order.coupon\n")
"""The mapping of `java_loop/`."""

WHOLE = """
  - when: type == 'never'
    call: identify
    userId: customer.id
    traits: "@"
"""
"""A further rule, which reads the whole event, so that nothing of it can be skipped."""

TRACED = MAPPING.replace("    timestamp: occurred_at\n", "").replace(
    "order_id: order.id\n", "order_id: order.id\n      sequence: version\n"
)
"""Calls that tell when their record was produced (its timestamp), and which one of its key's it is."""

CONTEXTS = f"{TRACED}    context: {{page: {{referrer: source}}}}\n"
"""The same with a context from the event: calls share a request only where it is equal."""

THREE_CALLS = """
topics: [orders]
rules:
  - when: type == 'order.completed'
    calls:
      - call: identify
        userId: customer.id
        timestamp: occurred_at
        traits: {email: customer.email, last_order_at: occurred_at}
      - call: track
        event: Order Completed
        userId: customer.id
        timestamp: occurred_at
        properties: {order_id: order.id, total: order.total, currency: "'USD'"}
      - call: track
        event: Lines Ordered
        userId: customer.id
        timestamp: occurred_at
        properties:
          products: "order.lines[].{sku: sku, name: name, quantity: qty, price: price}"
"""

MAPPER = """
topics: [orders]
rules:
  - when: type == 'order.completed'
    mapper: mapper:order_completed
"""


def order(number: int, customer: str, *, lines: int = 2, version: int = 3, source: str = "webshop") -> bytes:
    """An order; of two lines, 389 bytes as a rule."""
    return orjson.dumps(
        {
            "type": "order.completed",
            "id": f"evt-{number:012d}",
            "occurred_at": f"2026-11-21T10:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z",
            "customer": {"id": customer, "email": f"c{number % 50000}@example.com"},
            "order": {
                "id": f"ord-{number:09d}",
                "total": round(79.48 + number % 100, 2),
                "currency": "USD",
                "lines": (LINES * (lines // 2 + 1))[:lines],
            },
            "source": source,
            "version": version,
        }
    )


def event(number: int) -> bytes:
    """The usual event: one of 50,000 customers' orders."""
    return order(number, f"cust-{number * 7919 % 50000:06d}")


def drawn(events: int, keys: int = KEYS) -> Iterator[int]:
    """Customers drawn uniformly, the same in every run: unlike in a rotation, a customer may follow soon again."""
    draw = random.Random(1).random
    return (int(draw() * keys) for _ in range(events))


def orders(events: int, *, keys: int = KEYS, lines: int = 2) -> Iterator[Event]:
    """Orders of customers drawn uniformly."""
    for number, each in enumerate(drawn(events, keys)):
        customer = f"cust-{each:06d}"
        yield customer.encode(), order(number, customer, lines=lines)


def peer_orders(events: int) -> Iterator[Event]:
    """Orders as `java_loop/` reads them, 389 bytes."""
    for number, each in enumerate(drawn(events)):
        customer, minute = f"cust-{each:06d}", f"2026-11-21T10:{number // 60000 % 60:02d}"
        yield (
            customer.encode(),
            orjson.dumps(
                {
                    "event_id": f"evt-{number:09d}",
                    "type": "order.completed",
                    "occurred_at": f"{minute}:{number // 1000 % 60:02d}.{number % 1000:03d}Z",
                    "customer": {"id": customer, "email": f"c{each:05d}@example.com"},
                    "order": {
                        "id": f"ord-{number:06d}",
                        "total": round(79.48 + number % 20, 2),
                        "currency": "USD",
                        "coupon": "MAY1",
                        "lines": LINES,
                    },
                    "ip": "10.0.0.7",
                }
            ),
        )


def _field(field: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "optional": False, "field": field, **more}


def _row_schema(name: str) -> dict[str, Any]:
    """The schema of an order as a row, as Debezium writes it twice into every record."""
    texts = [_field(each, "string") for each in ("type", "id", "occurred_at", "source")]
    inner = [
        _field("customer", "struct", fields=[_field("id", "string"), _field("email", "string")]),
        _field("order", "struct", fields=[_field("id", "string"), _field("total", "double")]),
    ]
    return _field(name, "struct", fields=[*texts, *inner], name="shop.public.orders.Value")


SCHEMA = {
    "type": "struct",
    "fields": [
        _row_schema("before"),
        _row_schema("after"),
        _field(
            "source",
            "struct",
            fields=[
                *(
                    _field(each, "string")
                    for each in ("version", "connector", "name", "db", "schema", "table")
                ),
                *(_field(each, "int64") for each in ("ts_ms", "txId", "lsn")),
                _field("snapshot", "string", name="io.debezium.data.Enum", default="false"),
            ],
            name="io.debezium.connector.postgresql.Source",
        ),
        _field("op", "string"),
        _field("ts_ms", "int64"),
    ],
    "optional": False,
    "name": "shop.public.orders.Envelope",
}
"""2 kB of JSON."""

SOURCE = {
    "version": "3.0.0.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1763719200000, "snapshot": "false",
    "db": "shop", "schema": "public", "table": "orders", "txId": 556, "lsn": 24023128,
}  # fmt: skip


def changed(value: bytes) -> bytes:
    """An event as a row that Debezium saw inserted, with its schema."""
    change = {
        "before": None,
        "after": orjson.loads(value),
        "source": SOURCE,
        "op": "c",
        "ts_ms": 1763719200123,
    }
    return orjson.dumps({"schema": SCHEMA, "payload": change})


def attributes(value: bytes) -> dict[str, str]:
    """The attributes of an event as a CloudEvent."""
    event = orjson.loads(value)
    return {
        "specversion": "1.0", "id": event["id"], "source": "/shop/orders", "type": event["type"],
        "time": event["occurred_at"], "datacontenttype": "application/json",
    }  # fmt: skip


def data(value: bytes) -> bytes:
    """What of an event is data, where its type, id and time are attributes."""
    event = orjson.loads(value)
    return orjson.dumps({name: event[name] for name in event if name not in {"type", "id", "occurred_at"}})


def structured(value: bytes) -> bytes:
    """An event as a CloudEvent in structured mode."""
    return b'%b,"data":%b}' % (orjson.dumps(attributes(value))[:-1], data(value))


def binary_headers(value: bytes) -> list[tuple[str, bytes | None]]:
    """The headers of an event as a CloudEvent in binary mode."""
    named = attributes(value)
    content_type = named.pop("datacontenttype")
    return [
        *((f"ce_{name}", text.encode()) for name, text in named.items()),
        ("content-type", content_type.encode()),
    ]


def small(events: int) -> Iterator[Event]:
    """Orders of nothing: the fewest bytes that the mapping knows what to do with."""
    for number, each in enumerate(drawn(events)):
        customer = f"c{each}"
        yield (
            customer.encode(),
            b'{"type":"order.completed","occurred_at":"2026-11-21T10:00:00Z","customer":{"id":"%b"},'
            b'"order":{"id":"%d","total":1,"lines":[]}}' % (customer.encode(), number),
        )


def numbered(customers: Iterable[int], *, contexts: int = 1) -> Iterator[Event]:
    """Orders of these customers, for `TRACED`; a customer's version counts from 1, and tells any disorder.

    Args:
        customers: one for each event.
        contexts: how many distinct sources there are; a customer always has the same.
    """
    versions: Counter[int] = Counter()
    for number, each in enumerate(customers):
        versions[each] += 1
        customer = f"cust-{each:06d}"
        source = f"https://shop-{each % contexts}.example"
        yield customer.encode(), order(number, customer, version=versions[each], source=source)


def with_hot_key(events: int) -> Iterator[int]:
    """Every fifth event is one customer's."""
    return (each if number % 5 else 0 for number, each in enumerate(drawn(events)))


def zipf(events: int, exponent: float = 1.1, customers: int = 100_000) -> list[int]:
    """Customers by Zipf's law, the same with every run."""
    weights = [rank**-exponent for rank in range(1, customers + 1)]
    return random.Random(1).choices(range(customers), weights, k=events)


def hottest_share(customers: Iterable[int]) -> float:
    """The part of the traffic that the hottest key has."""
    counted = Counter(customers)
    return counted.most_common(1)[0][1] / counted.total()
