"""The checks of `check --connect`: brokers, topics, dead-letter topic and API key. They change nothing."""

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
    """Problems that would keep a worker with these settings from delivering.

    Args:
        settings: the worker's settings, with an `api_key`.
        subscriptions: topic names and patterns `^...$`.
    """
    of_kafka, of_api = await asyncio.gather(
        asyncio.to_thread(kafka_problems, settings.kafka, subscriptions), api_problems(settings.pipelines)
    )
    return [*of_kafka, *of_api]


async def api_problems(pipelines: Pipelines) -> list[Problem]:
    """Send an empty batch in strict mode: it creates nothing, but a wrong key is rejected with 401."""
    telemetry = Telemetry()
    api = PipelinesApi(pipelines.model_copy(update={"strict": True}), telemetry)
    try:
        return list(_problems_of(await api.send(_EMPTY_BATCH, [], 0), pipelines))
    finally:
        await api.close()
        telemetry.shutdown()


def _problems_of(response: Response, pipelines: Pipelines) -> Iterator[Problem]:
    place = "pipelines.url" if pipelines.url else "pipelines.region"
    status = response.status
    if response.failure:
        yield Problem(f"{place}: no response from {pipelines.base_url}: {response.failure}")
    elif status in (401, 403):
        hint = "a key belongs to one source, and to one region: us or eu"
        yield Problem(f"pipelines.api_key: the API rejects the key ({status})", hint=hint)
    elif status == 429 or status >= 500:
        yield Problem(f"{place}: the API fails at the moment ({status})", warning=True)
    elif not response.json or not (200 <= status < 300 or status == 400):
        # 400 is fine: the API may reject a batch for being empty, but only after it has accepted the key.
        yield Problem(f"{place}: the response is not from the Pipelines API ({status})")
