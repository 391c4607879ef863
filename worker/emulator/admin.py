"""The emulator's `/admin` API: shows what was received, and switches faults on and off."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
from aiohttp import web

from worker.emulator.api import Api
from worker.emulator.faults import Faults, fault_of_json
from worker.emulator.rate import RateWindow
from worker.emulator.received import Query, Received
from worker.emulator.traffic import Traffic

_PEOPLE_SHOWN = 200


class Admin:
    """The paths under `/admin`. All responses are JSON."""

    def __init__(
        self, received: Received, traffic: Traffic, faults: Faults, rate: RateWindow, api: Api
    ) -> None:
        self._received = received
        self._traffic = traffic
        self._faults = faults
        self._rate = rate
        self._api = api

    def add_routes(self, app: web.Application) -> None:
        """Register the paths with the application."""
        app.router.add_get("/admin/calls", self._get_calls)
        app.router.add_delete("/admin/calls", self._delete_calls)
        app.router.add_get("/admin/requests", self._get_requests)
        app.router.add_get("/admin/summary", self._get_summary)
        app.router.add_get("/admin/faults", self._get_faults)
        app.router.add_post("/admin/faults", self._post_fault)
        app.router.add_delete("/admin/faults", self._delete_faults)

    def summary(self, people: int = _PEOPLE_SHOWN) -> dict[str, Any]:
        """All counters, and the `people` who received calls most recently."""
        return {
            "requests": self._traffic.view(),
            "calls": self._calls(),
            "dropped_or_refused": dict(self._received.reasons.most_common()),
            "notices": dict(self._api.notices.most_common()),
            "effects": self._received.effects.view(),
            "rate": {
                "limit": self._rate.requests,
                "per": self._rate.per,
                "busiest_window": self._rate.busiest,
                "over_limit": self._rate.over,
            },
            "faults": {"active": len(self._faults.active()), "happened": self._faults.happened},
            "strict_batches": self._api.strict_batches.value,
            "last_sequence": self._received.last_sequence,
            "people": self._people(people),
        }

    def _calls(self) -> dict[str, Any]:
        counts = self._received.counts
        names = (
            "taken",
            "duplicates",
            "duplicates_identical",
            "duplicates_different",
            "dropped",
            "refused",
            "refused_with_a_bad_neighbour",
            "timestamps_backwards",
            "without_effect",
        )
        return {
            **{name: counts[name] for name in names},
            "by_type": dict(self._received.types.most_common()),
            "kept": self._received.kept,
            "people": len(self._received.people) + counts["people_forgotten"],
        }

    def _people(self, limit: int) -> list[dict[str, Any]]:
        return [
            {
                "person": name,
                "calls": person.calls,
                "types": dict(person.types),
                "last_at": person.last_at,
                "destructive": person.destructive,
                "timestamps_backwards": person.timestamps_backwards,
            }
            for name, person in self._received.newest_people(limit)
        ]

    async def _get_summary(self, request: web.Request) -> web.Response:
        return _json(self.summary(_number(request, "people", _PEOPLE_SHOWN)))

    async def _get_calls(self, request: web.Request) -> web.Response:
        parameter = request.query.get
        query = Query(
            person=parameter("person"),
            type=parameter("type"),
            event=parameter("event"),
            message_id=parameter("messageId"),
            outcome=parameter("outcome"),
            after=_number(request, "after", 0),
            limit=_number(request, "limit", 1_000),
        )
        return _json([entry.view() for entry in self._received.entries(query)])

    async def _delete_calls(self, _: web.Request) -> web.Response:
        self._received.clear()
        self._traffic.clear()
        self._rate.clear()
        self._api.notices.clear()
        return _json({})

    async def _get_requests(self, request: web.Request) -> web.Response:
        return _json(self._traffic.requests(_number(request, "limit", 1_000)))

    async def _get_faults(self, _: web.Request) -> web.Response:
        return _json(self._faults.active())

    async def _post_fault(self, request: web.Request) -> web.Response:
        """Switch a fault on.

        Only application/json is accepted: a page of another origin cannot send that without a CORS preflight.
        """
        if request.content_type != "application/json":
            return _json({"error": "Content-Type must be application/json"}, 415)
        try:
            fault = fault_of_json(await request.read())
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        self._faults.add(fault)
        return _json(fault, 201)

    async def _delete_faults(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return _json({})


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if text and not (text.isascii() and text.isdigit()):
        raise web.HTTPBadRequest(text=f"{name} must be a whole number")
    return int(text) if text else default


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(msgspec.to_builtins(value)),
        content_type="application/json",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
    )
