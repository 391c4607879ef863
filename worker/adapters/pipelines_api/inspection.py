"""What `check --connect` looks at in the Pipelines API: the address, the key, the clock. It creates nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.findings import Finding, duration
from worker.adapters.pipelines_api.client import PipelinesApi
from worker.settings.loading import NO_KEY
from worker.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from worker.documents.problems import Problem
    from worker.pipeline.ports import Response
    from worker.settings import Settings

_EMPTY_BATCH = b'{"batch":[]}'

CLOCK_SECONDS = 30.0
"""How far the clock may be off. Signed requests and tokens are refused from some minutes on, and `Date` and the way of
the response make a second or two."""


async def look_at_api(settings: Settings) -> list[Finding]:
    """Send an empty batch in strict mode: it creates nothing, but a wrong key is rejected with 401."""
    telemetry = Telemetry()
    api = PipelinesApi(settings.pipelines.model_copy(update={"strict": True}), telemetry)
    try:
        response = await api.send(_EMPTY_BATCH, [], 0)
        ahead = api.clock_ahead if not response.failure else None
    finally:
        await api.close()
        telemetry.shutdown()
    return [_address(settings, response), _key(settings, response), _clock(settings, ahead)]


def _address(settings: Settings, response: Response) -> Finding:
    pipelines, status = settings.pipelines, response.status
    facts = {"url": pipelines.base_url, "status": status or None}
    if response.failure:
        message = f"no response from {pipelines.base_url}: {response.failure}"
        return Finding("API", "no response", facts, (_at_address(settings, message),))
    if status == 429 or status >= 500:
        message = f"the API fails at the moment ({status})"
        return Finding(
            "API", f"responds with {status}", facts, (_at_address(settings, message, warning=True),)
        )
    if not _is_the_api(response):
        message = f"the response is not from the Pipelines API ({status})"
        return Finding("API", f"responds with {status}", facts, (_at_address(settings, message),))
    return Finding("API", f"{pipelines.base_url} responds", facts)


def _is_the_api(response: Response) -> bool:
    # 400 is fine: the API may reject a batch for being empty, but only after it has accepted the key.
    return response.status in {401, 403} or (
        response.json and (200 <= response.status < 300 or response.status == 400)
    )


def _at_address(settings: Settings, message: str, *, warning: bool = False) -> Problem:
    place = ("pipelines", "url" if settings.pipelines.url else "region")
    return settings.problem_at(place, message, warning=warning)


def _key(settings: Settings, response: Response) -> Finding:
    place = ("pipelines", "api_key")
    if not settings.pipelines.api_key.get_secret_value():
        return Finding("key", "there is none", {"accepted": None}, (settings.problem_at(place, *NO_KEY),))
    if response.status in {401, 403}:
        hint = "a key belongs to one source, and to one region: us or eu"
        problem = settings.problem_at(place, f"the API rejects the key ({response.status})", hint)
        return Finding("key", f"rejected ({response.status})", {"accepted": False}, (problem,))
    if response.status in {400, *range(200, 300)} and response.json:
        return Finding("key", "accepted", {"accepted": True})
    return Finding("key", "not known, because the API did not respond as it should", {"accepted": None})


def _clock(settings: Settings, ahead: float | None) -> Finding:
    if ahead is None:
        return Finding(
            "clock", "not compared, because the API did not report its time", {"ahead_seconds": None}
        )
    facts = {"ahead_seconds": round(ahead, 1)}
    if abs(ahead) <= CLOCK_SECONDS:
        return Finding("clock", "agrees with the API's", facts)
    text = f"{duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the API's"
    problem = _at_address(settings, f"this machine's clock is {text}", warning=True)
    return Finding("clock", text, facts, (problem,))
