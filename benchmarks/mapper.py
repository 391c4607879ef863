"""The benchmark's rule as a Python mapper."""

from __future__ import annotations

from worker import Call, Event, track


def order_completed(event: Event) -> Call:
    """The same call that the declarative rule makes."""
    order = event.value["order"]
    products = [
        {"sku": line["sku"], "name": line["name"], "quantity": line["qty"], "price": line["price"]}
        for line in order["lines"]
    ]
    return track(
        "Order Completed",
        user_id=event.value["customer"]["id"],
        timestamp=event.value["occurred_at"],
        properties={
            "order_id": order["id"],
            "total": order["total"],
            "currency": "USD",
            "products": products,
        },
    )
