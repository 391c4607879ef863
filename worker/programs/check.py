"""What `check --connect` looks at: broker, topics, dead-letter topic, key. It changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.adapters.kafka.topic_checks import kafka_problems
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.documents.problems import Problem
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from worker.pipeline.ports import Response
    from worker.settings import Pipelines, Settings

_EMPTY_BATCH = b'{"batch":[]}'


async def connection_problems(settings: Settings, subscriptions: Sequence[str]) -> list[Problem]:
    """Everything that would keep a worker with these settings from delivering.

    Args:
        settings: of the worker; `api_key` is there.
        subscriptions: topic names and patterns `^...$`.
    """
    found, answered = await asyncio.gather(
        asyncio.to_thread(kafka_problems, settings.kafka, subscriptions), api_problems(settings.pipelines)
    )
    return [*found, *answered]


async def api_problems(pipelines: Pipelines) -> list[Problem]:
    """What an empty batch in strict mode is answered: a wrong key gets 401, even by an empty batch."""
    telemetry = Telemetry()
    api = PipelinesApi(pipelines.model_copy(update={"strict": True}), telemetry)
    try:
        return list(_judged(await api.send(_EMPTY_BATCH, [], 0), pipelines))
    finally:
        await api.close()
        telemetry.shutdown()


def _judged(response: Response, pipelines: Pipelines) -> Iterator[Problem]:
    place = "pipelines.url" if pipelines.url else "pipelines.region"
    status = response.status
    if response.failure:
        yield Problem(f"{place}: {pipelines.base_url} does not answer: {response.failure}")
    elif status in (401, 403):
        hint = "a key belongs to one source, and to one region: us or eu"
        yield Problem(f"pipelines.api_key: the API refuses the key ({status})", hint=hint)
    elif status == 429 or status >= 500:
        yield Problem(f"{place}: the API is in trouble ({status})", warning=True)
    elif not response.json or not (200 <= status < 300 or status == 400):
        # An empty batch may be refused as one (400): then the key was right.
        yield Problem(f"{place}: what answers there is not the Pipelines API ({status})")
