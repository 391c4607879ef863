"""The events of a small tea shop, for the demo: reproducible, and with the kinds of bad records found in real topics.

Every sample has its expected outcome, so the demo can check the worker's own counters against an independent count.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

TOPICS = ("orders", "customers", "devices", "companies", "storefront")

_TEAS = (
    ("sencha", "Sencha", 1290),
    ("assam", "Assam", 890),
    ("oolong", "Oolong", 1850),
    ("rooibos", "Rooibos", 650),
    ("matcha", "Matcha", 2400),
    ("earl-grey", "Earl Grey", 790),
)
_NAMES = ("Ada", "Linus", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Margaret")
_LOCALES = ("de-DE", "en-GB", "fr-FR")
_COMPANIES = ("acme", "globex", "initech", "umbrella")


class ExpectedOutcome(StrEnum):
    """The outcome of a record under the example configuration."""

    DELIVERED = "delivered"
    IGNORED = "ignored"
    DEAD_LETTERED = "dead-lettered"


@dataclass(frozen=True, slots=True)
class Sample:
    """A record to produce.

    Attributes:
        timestamp: of the event, in epoch milliseconds.
        outcome: expected under the example configuration.
        calls: how many calls are made from it, if it is delivered.
        repeated: how many of these have the messageId of an earlier call: the same event was produced before.
        record_timestamp: the record's, in epoch milliseconds; 0 for the time at which it is produced.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int
    outcome: ExpectedOutcome = ExpectedOutcome.DELIVERED
    calls: int = 1
    repeated: int = 0
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)
    record_timestamp: int = 0


def sample_events(
    count: int = 4_000, *, until: datetime, interval: float = 0.5, seed: int = 2026
) -> Iterator[Sample]:
    """The shop's events, oldest first, `interval` seconds apart; the last is at `until`.

    The registration is the first event of each customer, and an erasure the last.
    """
    shop = _Shop(random.Random(seed), seed)  # noqa: S311 - samples, not secrets
    step = int(interval * 1000)
    start = int(until.timestamp() * 1000) - step * (count - 1)
    for number in range(count):
        yield shop.next(number, start + step * number)


class _Shop:
    """The state of the shop: its current customers and their devices."""

    def __init__(self, rng: random.Random, seed: int) -> None:
        self._rng = rng
        self._seed = seed
        self._customers: list[str] = []
        self._registered = 0
        self._devices: dict[str, str] = {}
        self._last_order: Sample | None = None
        self._now = 0
        self._number = 0
        weighted: list[tuple[Callable[[], Sample], int]] = [
            (self._page, 26),
            (self._product, 18),
            (self._campaign, 6),
            (self._order, 22),
            (self._order_packed, 6),
            (self._order_cancelled, 2),
            (self._updated, 6),
            (self._device, 5),
            (self._company, 3),
            (self._member, 3),
            (self._merged, 1),
            (self._departure, 1),
        ]
        self._events = [event for event, _ in weighted]
        self._weights = [weight for _, weight in weighted]

    def next(self, number: int, now: int) -> Sample:
        """The next event: usually an ordinary one, every fortieth a bad record, every fiftieth a duplicate."""
        self._number, self._now = number, now
        if len(self._customers) < 10 or number % 16 == 1:
            return self._registration()
        if number % 40 == 39:
            return self._bad_record(number // 40)
        if number % 50 == 49 and self._last_order is not None:
            return self._produced_twice(self._last_order)
        [event] = self._rng.choices(self._events, self._weights)
        return event()

    # --- customers ---

    def _registration(self) -> Sample:
        self._registered += 1
        customer = f"cust-{self._registered:04}"
        self._customers.append(customer)
        channel = self._rng.choice(("web", "app"))
        return self._sample(
            "customers",
            customer,
            {"type": "customer.registered", "channel": channel, "customer": self._profile(customer)},
            calls=2,
        )

    def _updated(self) -> Sample:
        customer = self._customer()
        profile = self._profile(customer) | {"newsletter": self._rng.random() < 0.7}
        if self._rng.random() < 0.5:
            profile["phone"] = f"+49 30 {self._rng.randrange(10**6):06}"
        return self._sample("customers", customer, {"type": "customer.updated", "customer": profile})

    def _merged(self) -> Sample:
        customer = self._customer()
        event = {
            "type": "customer.merged",
            "customer": {"id": customer},
            "previous_id": f"guest-{self._number}",
        }
        return self._sample("customers", customer, event)

    def _departure(self) -> Sample:
        """Half of the departures are erasure requests; the others are only a tombstone."""
        customer = self._customers.pop(self._rng.randrange(len(self._customers)))
        self._devices.pop(customer, None)
        if self._rng.random() < 0.5:
            return self._sample(
                "customers", customer, {"type": "customer.erased", "customer": {"id": customer}}
            )
        return Sample("customers", customer.encode(), None, self._now)

    # --- orders ---

    def _order(self) -> Sample:
        lines: list[dict[str, Any]] = [
            {"sku": sku, "name": name, "qty": self._rng.randint(1, 3), "price": cents / 100}
            for sku, name, cents in self._rng.sample(_TEAS, self._rng.randint(1, 3))
        ]
        order: dict[str, Any] = {"id": f"o-{self._number}", "lines": lines}
        order["total"] = round(sum(line["qty"] * line["price"] for line in lines), 2)
        if self._rng.random() < 0.2:
            order["coupon"] = "SPRING"
        customer = self._customer()
        event = {"type": "order.completed", "customer": {"id": customer}, "order": order}
        self._last_order = self._sample("orders", customer, event)
        return self._last_order

    def _order_packed(self) -> Sample:
        event = {"type": "order.packed", "order": {"id": f"o-{self._number}"}, "shelf": "B4"}
        return self._sample("orders", self._customer(), event, outcome=ExpectedOutcome.IGNORED)

    def _order_cancelled(self) -> Sample:
        customer = self._customer()
        order = {"id": f"o-{self._number}", "total": 12.9}
        event = {
            "type": "order.cancelled",
            "customer": {"id": customer},
            "order": order,
            "reason": "TOO LATE",
        }
        return self._sample("orders", customer, event)

    def _produced_twice(self, sample: Sample) -> Sample:
        """A producer that missed its acknowledgement produces the same event again."""
        return Sample(sample.topic, sample.key, sample.value, self._now, repeated=1)

    # --- the storefront ---

    def _visitor(self) -> tuple[str, dict[str, Any]]:
        """A record key and the visitor in the event; one visitor in three is signed in."""
        visitor: dict[str, Any] = {"id": f"v-{self._rng.randrange(60):02}"}
        visitor["locale"] = self._rng.choice(_LOCALES)
        if self._rng.random() < 0.34:
            visitor["customer_id"] = self._customer()
        return visitor.get("customer_id", visitor["id"]), visitor

    def _page(self) -> Sample:
        key, visitor = self._visitor()
        title = self._rng.choice(("Home", "Teas", "Teapots", "Our story"))
        page = {"title": title, "url": f"https://shop.example/{title.lower().replace(' ', '-')}"}
        return self._sample("storefront", key, {"type": "page.viewed", "visitor": visitor, "page": page})

    def _product(self) -> Sample:
        key, visitor = self._visitor()
        sku, name, cents = self._rng.choice(_TEAS)
        product = {"sku": sku, "name": name, "cents": cents}
        event = {"type": "product.viewed", "occurred_at": self._now, "visitor": visitor, "product": product}
        return self._sample("storefront", key, event)

    def _campaign(self) -> Sample:
        key, visitor = self._visitor()
        campaign = {"medium": self._rng.choice(("Email", "Social")), "name": "Spring"}
        return self._sample(
            "storefront", key, {"type": "campaign.clicked", "visitor": visitor, "campaign": campaign}
        )

    # --- devices and companies ---

    def _device(self) -> Sample:
        customer = self._customer()
        if customer in self._devices and self._rng.random() < 0.4:
            removed = {"token": self._devices.pop(customer), "os": "ios"}
            return self._sample(
                "devices", customer, {"type": "device.removed", "user_id": customer, "device": removed}
            )
        simulator = self._rng.random() < 0.1
        token = f"token-{self._number}"
        device = {"token": token, "os": "iOS", "app_version": "3.2", "simulator": simulator}
        if not simulator:
            self._devices[customer] = token
        outcome = ExpectedOutcome.IGNORED if simulator else ExpectedOutcome.DELIVERED
        event = {"type": "device.registered", "user_id": customer, "device": device}
        return self._sample("devices", customer, event, outcome=outcome)

    def _company(self) -> Sample:
        company = self._rng.choice(_COMPANIES)
        details = {
            "id": company,
            "name": company.title(),
            "plan": self._rng.choice(("basic", "pro")),
            "seats": 12,
        }
        return self._sample("companies", company, {"type": "company.updated", "company": details})

    def _member(self) -> Sample:
        company, customer = self._rng.choice(_COMPANIES), self._customer()
        kind = self._rng.choice(("company.member_joined", "company.member_joined", "company.member_left"))
        return self._sample(
            "companies", company, {"type": kind, "company": {"id": company}, "member": {"id": customer}}
        )

    # --- bad records ---

    def _bad_record(self, turn: int) -> Sample:
        customer = self._customer()
        order = {"type": "order.completed", "customer": {"id": customer}, "order": {"id": "o"}}
        sku = {"sku": "x" * 500, "name": "y" * 500, "qty": 1, "price": 1}
        bad: list[tuple[str, Any]] = [
            ("orders", b'{"type": "order.completed", "customer":'),
            ("orders", [order]),
            ("orders", {"type": "order.completed", "order": {"id": "o-1"}}),
            ("orders", order | {"customer": {"id": "undefined"}}),
            ("orders", order | {"occurred_at": "yesterday"}),
            ("orders", order | {"order": {"id": "o-2", "lines": [sku] * 40}}),
            ("orders", b"\xff\xfe not text"),
            (
                "devices",
                {"type": "device.registered", "user_id": customer, "device": {"token": "t", "os": "toaster"}},
            ),
            ("companies", {"type": "company.renamed", "company": {"id": "acme"}}),
        ]
        topic, value = bad[turn % len(bad)]
        return self._sample(topic, customer, value, outcome=ExpectedOutcome.DEAD_LETTERED)

    # --- building samples ---

    def _customer(self) -> str:
        return self._rng.choice(self._customers)

    def _profile(self, customer: str) -> dict[str, Any]:
        name = _NAMES[int(customer[-4:]) % len(_NAMES)]
        return {"id": customer, "name": name, "email": f"{name}.{customer}@Example.com"}

    def _sample(
        self,
        topic: str,
        key: str,
        event: Any,
        *,
        outcome: ExpectedOutcome = ExpectedOutcome.DELIVERED,
        calls: int = 1,
    ) -> Sample:
        if isinstance(event, dict):
            event = {"event_id": f"e-{self._seed}-{self._number}", "occurred_at": _rfc3339(self._now)} | event
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        headers: list[tuple[str, str | bytes | None]] = [("content-type", b"application/json")]
        return Sample(
            topic,
            key.encode(),
            value,
            self._now,
            outcome,
            calls if outcome is ExpectedOutcome.DELIVERED else 0,
            headers=headers,
        )


def _rfc3339(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
