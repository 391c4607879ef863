"""Events in shapes that others publish. Only the shapes are theirs: all values are made up.

`{n}` in a text is the number of the event; `{m}` is one of five numbers, for ids that repeat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

COUNT = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """A topic.

    Attributes:
        topic: its name.
        source: where the shape is published.
        events: one template for each kind of event.
        key: of the records; None for none.
        headers: likewise.
    """

    topic: str
    source: str
    events: list[dict[str, Any]]
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def records(self) -> list[tuple[dict[str, Any], str | None, dict[str, str]]]:
        """The events, with keys and headers."""
        return [
            (_filled(event, n), _filled(self.key, n), _filled(self.headers, n))
            for n in range(COUNT)
            for event in self.events
        ]


def _filled(value: Any, n: int) -> Any:
    match value:
        case str() if re.match(r"#[0-9{]", value):
            return int(value[1:].replace("{n}", f"{n:02}").replace("{m}", str(n % 5)))
        case str():
            return value.replace("{n}", f"{n:02}").replace("{m}", str(n % 5))
        case dict():
            return {name: _filled(item, n) for name, item in value.items()}
        case list():
            return [_filled(item, n) for item in value]
        case _:
            return value


def _stripe(kind: str, **inner: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{kind}{{n}}",
        "object": "event",
        "api_version": "2020-08-27",
        "created": "#17514656{n}",
        "type": kind,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "data": {"object": {"created": "#17514656{n}", "currency": "usd", "metadata": {}, **inner}},
    }


_SEGMENT = {
    "anonymousId": "507f191e810c19729de860e{m}",
    "context": {"ip": "192.0.2.1", "library": {"name": "analytics.js", "version": "2.11.1"}},
    "integrations": {"All": True},
    "messageId": "022bb90c-bbac-11e4-8dfc-aa07a5b093{n}",
    "originalTimestamp": "2015-02-23T22:28:{n}.111Z",
    "receivedAt": "2015-02-23T22:28:{n}.707Z",
    "sentAt": "2015-02-23T22:28:{n}.111Z",
    "timestamp": "2015-02-23T22:28:{n}.111Z",
    "userId": "97980cfea006{m}",
    "version": "1.1",
}

_ROW = {
    "id": "#10{n}",
    "first_name": "Anne {n}",
    "last_name": "Kretchmar {n}",
    "email": "anne{n}@corp.example",
}

_CLOUD_EVENT = {
    "specversion": "1.0",
    "source": "https://corp.example/mycontext",
    "id": "A234-1234-12{n}",
    "time": "2018-04-05T17:31:{n}Z",
    "datacontenttype": "application/json",
}


def _change(op: str, before: Any, after: Any, *, snapshot: str = "false") -> dict[str, Any]:
    source = {
        "connector": "mysql",
        "name": "dbserver1",
        "ts_ms": "#14650{n}199012",
        "snapshot": snapshot,
        "table": "t",
    }
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": "#14650{n}200012"}


SHAPES = {
    "stripe": Shape(
        "billing",
        "Stripe's API reference, The Event object",
        [
            _stripe(
                "customer.created",
                id="cus_{n}",
                object="customer",
                email="ada{n}@corp.example",
                name="Ada {n}",
            ),
            _stripe("invoice.paid", id="in_{n}", object="invoice", customer="cus_{m}", amount_paid=199),
            _stripe("customer.subscription.deleted", id="sub_{n}", object="subscription", customer="cus_{m}"),
        ],
    ),
    "shopify": Shape(
        "shop",
        "Shopify's webhook orders/create, with the delivery's headers",
        [
            {
                "id": "#52083340085{n}",
                "order_number": "#10{n}",
                "email": "jane{n}@corp.example",
                "created_at": "2025-05-13T12:00:{n}-04:00",
                "currency": "EUR",
                "total_price": "59.95",
                "financial_status": "paid",
                "fulfillment_status": None,
                "line_items": [
                    {"id": "#1234567890{n}", "name": "Shirt {n}", "quantity": 1, "price": "29.95"}
                ],
                "customer": {
                    "id": "#777777777{m}",
                    "email": "jane{m}@corp.example",
                    "first_name": "Jane {m}",
                },
                "shipping_address": {"city": "Springfield {n}", "country_code": "US"},
            }
        ],
        headers={"X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "b39d2c2f-{n}"},
    ),
    "github": Shape(
        "repositories",
        "GitHub's webhook pull_request",
        [
            {
                "action": action,
                "number": "#4{n}",
                "pull_request": {
                    "id": "#12345678{n}",
                    "title": "A title {n}",
                    "draft": False,
                    "user": {"login": "octo{m}", "id": "#58323{m}", "type": "User"},
                    "created_at": "2025-05-13T12:00:{n}Z",
                },
                "repository": {"id": 99999, "full_name": "someone/something", "private": False},
                "sender": {"login": "octo{m}", "id": "#58323{m}", "type": "User"},
            }
            for action in ("opened", "closed")
        ],
        headers={"X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc09{n}"},
    ),
    "segment": Shape(
        "clicks",
        "Segment's spec, Common Fields, Track, Identify and Page",
        [
            _SEGMENT | {"type": "track", "event": "Course Clicked", "properties": {"title": "Intro {n}"}},
            _SEGMENT
            | {"type": "identify", "traits": {"name": "Peter {m}", "email": "peter{m}@corp.example"}},
            _SEGMENT | {"type": "page", "name": "Home", "properties": {"url": "https://corp.example/{n}"}},
        ],
    ),
    "snowplow": Shape(
        "enriched-good",
        "Snowplow's atomic event properties",
        [
            {
                "app_id": "website",
                "platform": "web",
                "etl_tstamp": "2025-04-01T12:00:{n}.000Z",
                "collector_tstamp": "2025-04-01T12:00:{n}.000Z",
                "dvce_created_tstamp": "2025-04-01T12:00:{n}.000Z",
                "event": kind,
                "event_id": "5a305bf5-32fc-40d9-b0e8-66052f0f2c{n}",
                "user_id": "jon{m}@corp.example",
                "user_ipaddress": "192.0.2.{n}",
                "domain_userid": "bc2e92ec6c204a1{m}",
                "geo_country": "GB",
                "page_url": "https://corp.example/{n}",
            }
            for kind in ("page_view", "struct")
        ],
    ),
    "outbox": Shape(
        "outbox.event.order",
        "Debezium's outbox event router, Example outbox message, with the payload expanded",
        [
            {
                "id": "#{m}",
                "lineItems": [
                    {"id": 1, "item": "A book {n}", "status": "ENTERED", "quantity": 2, "totalPrice": 39.98}
                ],
                "orderDate": "2019-01-31T12:13:{n}",
                "customerId": "#12{m}",
            }
        ],
        key="{m}",
        headers={"id": "4d47e190-0402-4048-bc2c-89dd543430{n}"},
    ),
    "readings": Shape(
        "readings",
        "SenML-like sensor readings without any person",
        [{"n": "urn:dev:{m}", "u": "Cel", "v": 23.1, "t": "#17514656{n}"}],
    ),
    "rows": Shape(
        "customers",
        "Debezium's ExtractNewRecordState, rows of the tutorial's table inventory.customers",
        [
            {
                "id": "#10{n}",
                "first_name": "Anne {n}",
                "last_name": "Kretchmar {n}",
                "email": "anne{n}@corp.example",
                "__deleted": "false",
            }
        ],
        key="Struct{id=10{n}}",
    ),
    "debezium": Shape(
        "dbserver1.inventory.customers",
        "Debezium's tutorial, a change event of the table customers with its schema",
        [
            {
                "schema": {"type": "struct", "fields": [], "optional": False, "name": "envelope"},
                "payload": change,
            }
            for change in (
                _change("c", None, _ROW),
                _change("d", _ROW, None),
                _change("u", _ROW, {**_ROW, "first_name": "Anne Marie {n}"}),
            )
        ],
        key='{"schema":{"type":"struct","fields":[],"optional":false},"payload":{"id":10{n}}}',
    ),
    "debezium of orders": Shape(
        "shop.public.orders",
        "Debezium's tutorial, a change event without schema",
        [
            _change(
                "c", None, {"id": "#10{n}", "purchaser": "Anne {m}", "customer_id": "#12{m}", "quantity": 2}
            )
        ],
        key='{"id":10{n}}',
    ),
    "snapshot": Shape(
        "inventory.members",
        "Debezium's tutorial, read events of a snapshot",
        [_change("r", None, {"id": "#10{n}", "email": "anne{n}@corp.example"}, snapshot="true")],
    ),
    "structured CloudEvents": Shape(
        "deliveries",
        "CloudEvents' Kafka protocol binding, structured content mode",
        [
            {
                **_CLOUD_EVENT,
                "type": kind,
                "data": {"parcel": "pa-{n}", "userId": "us-{m}", "weight_g": "#30{n}"},
            }
            for kind in ("com.corp.parcel.delivered", "com.corp.parcel.sent")
        ],
        headers={"content-type": "application/cloudevents+json; charset=UTF-8"},
    ),
    "binary CloudEvents": Shape(
        "bookings",
        "CloudEvents' Kafka protocol binding, binary content mode",
        [{"room": "r-{n}", "nights": "#12{m}", "price": 99.5}],
        headers={
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_type": "corp.booking.made",
            "ce_source": "https://corp.example/{m}",
            "ce_id": "A234-1234-12{n}",
            "ce_time": "2018-04-05T17:31:{n}Z",
            "ce_subject": "guest-{m}",
        },
    ),
    "base64 CloudEvents": Shape(
        "signups",
        "CloudEvents' JSON format, data_base64",
        [
            {
                **_CLOUD_EVENT,
                "type": "corp.signup",
                "data_base64": "eyJ1c2VyX2lkIjogInUtMSIsICJwbGFuIjogImdvbGQifQ==",
            }
        ],
    ),
    "connect": Shape(
        "profiles",
        "Kafka Connect's JsonConverter with schemas.enable",
        [
            {
                "schema": {"type": "struct", "optional": False, "fields": []},
                "payload": {"kind": kind, "profile_id": "#77{m}", "city": "Ghent {n}"},
            }
            for kind in ("moved", "seen")
        ],
    ),
    "cooks": Shape(
        "kitchens",
        "no public shape: a word for a person that is in no list, with an id beside an email address",
        [
            {
                "kind": "dish.served",
                "emittedAt": "2026-11-21T10:00:{n}.120+01:00",
                "cook": {"id": "ck-{m}", "email": "ck{m}@corp.example"},
                "dish": {"ref": "D{n}"},
            }
        ],
    ),
}
