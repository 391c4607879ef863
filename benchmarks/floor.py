"""The floor: the least that any program in Python must do for the same events, without one guarantee.

Consume, `orjson.loads`, a hand-written mapping, `orjson.dumps`, join, POST; one request at a time, no order across
partitions, nothing validated, nothing committed, nothing retried. `python floor.py SERVERS TOPIC URL EVENTS`.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from typing import Any

import aiohttp
import orjson
import uvloop
from confluent_kafka import Consumer

MAX_BYTES = 475_000
MAX_CALLS = 2_000


def to_call(event: dict[str, Any], message_id: str) -> bytes:
    """What a developer would write for the benchmark's rule."""
    order = event["order"]
    return orjson.dumps(
        {
            "type": "track",
            "userId": event["customer"]["id"],
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
            "timestamp": event["occurred_at"],
            "messageId": message_id,
        }
    )


async def main(servers: str, topic: str, url: str, events: int) -> None:
    """Move `events` events."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    loop = asyncio.get_running_loop()
    calls: list[bytes] = []
    size = seen = 0
    async with aiohttp.ClientSession() as session:

        async def send() -> None:
            body = b'{"batch":[' + b",".join(calls) + b"]}"
            async with session.post(
                f"{url}/v1/batch", data=body, headers={"Content-Type": "application/json"}
            ) as answer:
                await answer.read()

        while seen < events:
            for message in await loop.run_in_executor(None, consumer.consume, 1000, 0.1):
                if message.error():
                    continue
                event = orjson.loads(message.value() or b"")
                call = to_call(event, f"{message.topic()}-{message.partition()}-{message.offset()}")
                if size + len(call) + 1 > MAX_BYTES or len(calls) == MAX_CALLS:
                    await send()
                    calls.clear()
                    size = 0
                calls.append(call)
                size += len(call) + 1
                seen += 1
        await send()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
