"""What `check --connect` looks at: broker, topics, dead-letter topic, key. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from worker.adapters.pipelines_api import PipelinesApi
from worker.core.model import Problem
from worker.telemetry import Telemetry

if TYPE_CHECKING:
    from worker.ports import Response
    from worker.settings import Pipelines, Settings

_EMPTY_BATCH = b'{"batch":[]}'


async def connection_problems(settings: Settings, subscriptions: Sequence[str]) -> list[Problem]:
    """Everything that would keep a worker with these settings from delivering.

    Args:
        settings: of the worker; `api_key` is there.
        subscriptions: topic names and patterns `^...$`.
    """
    return [*await api_problems(settings.pipelines)]


async def api_problems(pipelines: Pipelines) -> list[Problem]:
    """What an empty batch in strict mode is answered: a wrong key gets 401, even by an empty batch."""
    telemetry = Telemetry()
    api = PipelinesApi(pipelines.model_copy(update={"strict": True}), telemetry)
    try:
        return list(_judged(await api.send(_EMPTY_BATCH, []), pipelines))
    finally:
        await api.close()
        telemetry.shutdown()


def _judged(response: Response, pipelines: Pipelines) -> Iterator[Problem]:
    place = "pipelines.url" if pipelines.url else "pipelines.region"
    if response.failure:
        yield Problem(f"{place}: {pipelines.base_url} does not answer: {response.failure}")
    elif response.status in (401, 403):
        hint = "a key belongs to one source, and to one region: us or eu"
        yield Problem(f"pipelines.api_key: the API refuses the key ({response.status})", hint=hint)
    elif response.status in (404, 405) or 300 <= response.status < 400 or not response.json:
        yield Problem(f"{place}: what answers there is not the Pipelines API ({response.status})")
    elif response.status == 429 or response.status >= 500:
        yield Problem(f"{place}: the API is in trouble ({response.status})", warning=True)
