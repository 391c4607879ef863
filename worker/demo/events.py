"""The events of a small tea shop, for the demo: the same every time, with the faults that real topics have.

Every sample knows its fate, so that the demo's summary is checked against what the worker did not say.
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


class Fate(StrEnum):
    """What the example configuration makes of a record."""

    DELIVERED = "delivered"
    IGNORED = "ignored"
    DEAD_LETTERED = "dead-lettered"


@dataclass(frozen=True, slots=True)
class Sample:
    """A record to produce.

    Attributes:
        timestamp: when it happened, epoch milliseconds.
        fate: what becomes of it under the example configuration.
        calls: how many calls it becomes, if it is delivered.
        repeats: whether the same event was produced before: its calls bear messageIds that were seen.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int
    fate: Fate = Fate.DELIVERED
    calls: int = 1
    repeats: bool = False
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)


def sample_events(
    count: int = 4_000, *, until: datetime, interval: float = 0.5, seed: int = 2026
) -> Iterator[Sample]:
    """The shop's events, oldest first, `interval` seconds apart; the last is of `until`.

    Every customer is registered before anything else is known of it, and nothing follows an erasure.
    """
    shop = _Shop(random.Random(seed), seed)  # noqa: S311 - samples, not secrets
    step = int(interval * 1000)
    start = int(until.timestamp() * 1000) - step * (count - 1)
    for number in range(count):
        yield shop.next(number, start + step * number)


class _Shop:
    """Who is a customer now, and what may happen next."""

    def __init__(self, chance: random.Random, seed: int) -> None:
        self._chance = chance
        self._seed = seed
        self._customers: list[str] = []
        self._registered = 0
        self._devices: dict[str, str] = {}
        self._last_order: Sample | None = None
        self._now = 0
        self._number = 0
        usual: list[tuple[Callable[[], Sample], int]] = [
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
            (self._leaves, 1),
        ]
        self._usual = [happening for happening, _ in usual]
        self._weights = [weight for _, weight in usual]

    def next(self, number: int, now: int) -> Sample:
        """What happens next: mostly business, every fortieth time a fault, every fiftieth a repetition."""
        self._number, self._now = number, now
        if len(self._customers) < 10 or number % 16 == 1:
            return self._registers()
        if number % 40 == 39:
            return self._broken(number // 40)
        if number % 50 == 49 and self._last_order is not None:
            return self._produced_twice(self._last_order)
        [happening] = self._chance.choices(self._usual, self._weights)
        return happening()

    # --- customers ---

    def _registers(self) -> Sample:
        self._registered += 1
        customer = f"cust-{self._registered:04}"
        self._customers.append(customer)
        channel = self._chance.choice(("web", "app"))
        return self._sample(
            "customers",
            customer,
            {"type": "customer.registered", "channel": channel, "customer": self._profile(customer)},
            calls=2,
        )

    def _updated(self) -> Sample:
        customer = self._customer()
        profile = self._profile(customer) | {"newsletter": self._chance.random() < 0.7}
        if self._chance.random() < 0.5:
            profile["phone"] = f"+49 30 {self._chance.randrange(10**6):06}"
        return self._sample("customers", customer, {"type": "customer.updated", "customer": profile})

    def _merged(self) -> Sample:
        customer = self._customer()
        event = {
            "type": "customer.merged",
            "customer": {"id": customer},
            "previous_id": f"guest-{self._number}",
        }
        return self._sample("customers", customer, event)

    def _leaves(self) -> Sample:
        """Half of those who leave ask for erasure; of the others only a tombstone tells."""
        customer = self._customers.pop(self._chance.randrange(len(self._customers)))
        self._devices.pop(customer, None)
        if self._chance.random() < 0.5:
            return self._sample(
                "customers", customer, {"type": "customer.erased", "customer": {"id": customer}}
            )
        return Sample("customers", customer.encode(), None, self._now)

    # --- orders ---

    def _order(self) -> Sample:
        lines: list[dict[str, Any]] = [
            {"sku": sku, "name": name, "qty": self._chance.randint(1, 3), "price": cents / 100}
            for sku, name, cents in self._chance.sample(_TEAS, self._chance.randint(1, 3))
        ]
        order: dict[str, Any] = {"id": f"o-{self._number}", "lines": lines}
        order["total"] = round(sum(line["qty"] * line["price"] for line in lines), 2)
        if self._chance.random() < 0.2:
            order["coupon"] = "SPRING"
        customer = self._customer()
        event = {"type": "order.completed", "customer": {"id": customer}, "order": order}
        self._last_order = self._sample("orders", customer, event)
        return self._last_order

    def _order_packed(self) -> Sample:
        event = {"type": "order.packed", "order": {"id": f"o-{self._number}"}, "shelf": "B4"}
        return self._sample("orders", self._customer(), event, fate=Fate.IGNORED)

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
        """A producer that did not see its acknowledgement produces the same event again."""
        return Sample(sample.topic, sample.key, sample.value, self._now, repeats=True)

    # --- the storefront ---

    def _visitor(self) -> tuple[str, dict[str, Any]]:
        """A visitor's key, and what the storefront knows of it; one of three is signed in."""
        visitor: dict[str, Any] = {"id": f"v-{self._chance.randrange(60):02}"}
        visitor["locale"] = self._chance.choice(_LOCALES)
        if self._chance.random() < 0.34:
            visitor["customer_id"] = self._customer()
        return visitor.get("customer_id", visitor["id"]), visitor

    def _page(self) -> Sample:
        key, visitor = self._visitor()
        title = self._chance.choice(("Home", "Teas", "Teapots", "Our story"))
        page = {"title": title, "url": f"https://shop.example/{title.lower().replace(' ', '-')}"}
        return self._sample("storefront", key, {"type": "page.viewed", "visitor": visitor, "page": page})

    def _product(self) -> Sample:
        key, visitor = self._visitor()
        sku, name, cents = self._chance.choice(_TEAS)
        product = {"sku": sku, "name": name, "cents": cents}
        event = {"type": "product.viewed", "occurred_at": self._now, "visitor": visitor, "product": product}
        return self._sample("storefront", key, event)

    def _campaign(self) -> Sample:
        key, visitor = self._visitor()
        campaign = {"medium": self._chance.choice(("Email", "Social")), "name": "Spring"}
        return self._sample(
            "storefront", key, {"type": "campaign.clicked", "visitor": visitor, "campaign": campaign}
        )

    # --- devices and companies ---

    def _device(self) -> Sample:
        customer = self._customer()
        if customer in self._devices and self._chance.random() < 0.4:
            gone = {"token": self._devices.pop(customer), "os": "ios"}
            return self._sample(
                "devices", customer, {"type": "device.removed", "user_id": customer, "device": gone}
            )
        simulator = self._chance.random() < 0.1
        token = f"token-{self._number}"
        device = {"token": token, "os": "iOS", "app_version": "3.2", "simulator": simulator}
        if not simulator:
            self._devices[customer] = token
        fate = Fate.IGNORED if simulator else Fate.DELIVERED
        event = {"type": "device.registered", "user_id": customer, "device": device}
        return self._sample("devices", customer, event, fate=fate)

    def _company(self) -> Sample:
        company = self._chance.choice(_COMPANIES)
        about = {
            "id": company,
            "name": company.title(),
            "plan": self._chance.choice(("basic", "pro")),
            "seats": 12,
        }
        return self._sample("companies", company, {"type": "company.updated", "company": about})

    def _member(self) -> Sample:
        company, customer = self._chance.choice(_COMPANIES), self._customer()
        kind = self._chance.choice(("company.member_joined", "company.member_joined", "company.member_left"))
        return self._sample(
            "companies", company, {"type": kind, "company": {"id": company}, "member": {"id": customer}}
        )

    # --- what should not be there, and is ---

    def _broken(self, turn: int) -> Sample:
        customer = self._customer()
        order = {"type": "order.completed", "customer": {"id": customer}, "order": {"id": "o"}}
        sku = {"sku": "x" * 500, "name": "y" * 500, "qty": 1, "price": 1}
        faults: list[tuple[str, Any]] = [
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
        topic, value = faults[turn % len(faults)]
        return self._sample(topic, customer, value, fate=Fate.DEAD_LETTERED)

    # --- making ---

    def _customer(self) -> str:
        return self._chance.choice(self._customers)

    def _profile(self, customer: str) -> dict[str, Any]:
        name = _NAMES[int(customer[-4:]) % len(_NAMES)]
        return {"id": customer, "name": name, "email": f"{name}.{customer}@Example.com"}

    def _sample(
        self, topic: str, key: str, event: Any, *, fate: Fate = Fate.DELIVERED, calls: int = 1
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
            fate,
            calls if fate is Fate.DELIVERED else 0,
            False,
            headers,
        )


def _rfc3339(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
