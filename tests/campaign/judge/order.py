"""The calls of a key are delivered in order, and never two requests have the same key at a time.

The first acceptance of each call is in order through every kill, stop and rebalance: a member sends a call only after
all earlier ones of its key were accepted, from it or, below the committed offset, from an earlier owner. What comes
again comes after that. Only a call that was refused alone may come late: it does not hold its key back, and after a
kill it may be sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.campaign.history import Request
from tests.campaign.judge.account import Account, Name, place
from tests.campaign.judge.findings import Broken

IN_ORDER = "the calls of a key are delivered in order"
ALONE = "a key is never in two requests at a time"

Key = tuple[Any, ...]


def findings(account: Account) -> Iterator[Broken]:
    """All that is wrong with the order of calls."""
    yield from _in_order(account)
    yield from _alone(account)


def _in_order(account: Account) -> Iterator[Broken]:
    latest: dict[Key, tuple[int, int]] = {}
    came: set[Name] = set()
    for acceptance in account.history.accepted:
        call = acceptance.call
        key = account.order_key(call)
        if key is None or call.name in came:
            continue
        came.add(call.name)
        here = account.sources[call.number].offset, call.position
        before = latest.get(key, (-1, -1))
        if here > before:
            latest[key] = here
        elif not any(
            each.arrived <= acceptance.request.arrived for each in account.refused.get(call.name, ())
        ):
            where = f"{place(account.sources[call.number])}, call {call.position}"
            seen = f"after offset {before[0]}, call {before[1]}, in request {acceptance.request.number}"
            yield Broken(IN_ORDER, where, "before later calls of its key", seen)


def _alone(account: Account) -> Iterator[Broken]:
    last: dict[Key, Request] = {}
    for request in sorted(account.history.requests, key=lambda each: each.arrived):
        keys = {key for call in request.calls if (key := account.order_key(call)) is not None}
        for key in keys:
            other = last.get(key)
            if other is not None and other.ended > request.arrived and not _is_given_up(account, other):
                early = other.ended - request.arrived
                seen = f"request {request.number} of {request.run} came {early:.3f}s before its end"
                yield Broken(ALONE, f"key {key}", f"only request {other.number} of {other.run}", seen)
            last[key] = request


def _is_given_up(account: Account, request: Request) -> bool:
    """Whether its sender no longer waited for it, or had no say: it was stopped, and others own its partitions."""
    stops = [each for each in account.history.disruptions if each.what == "stop" and each.run == request.run]
    return request.abandoned or any(
        each.at <= request.ended and each.until >= request.arrived for each in stops
    )
