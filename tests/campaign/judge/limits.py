"""No request is too large, no window sees too many of them, and no worker runs too far ahead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.campaign.history import CONTINUE_SECONDS, Request
from tests.campaign.judge.account import CLOCK_SECONDS, Account, place
from tests.campaign.judge.findings import Broken
from tests.campaign.world import World

RATE = "no window sees more requests than the rate limit"
SIZE = "no request is larger than allowed, and its calls share one context"
AHEAD = "no worker is further ahead of what is committed than allowed"


def findings(world: World, account: Account) -> Iterator[Broken]:
    """All that is beyond a limit."""
    for request in account.history.requests:
        yield from _request(world, request)
    yield from _rate(world, account)
    yield from _ahead(world, account)


def _request(world: World, request: Request) -> Iterator[Broken]:
    where = f"request {request.number} of {request.run}"
    if request.size > world.max_bytes:
        yield Broken(SIZE, where, f"at most {world.max_bytes} bytes", f"{request.size}")
    if not 0 < len(request.calls) <= world.max_calls:
        yield Broken(SIZE, where, f"at most {world.max_calls} calls", f"{len(request.calls)}")
    if len({each.message_id for each in request.calls}) < len(request.calls):
        yield Broken(SIZE, where, "each call once", "a call twice")
    if world.context == "partition" and len(shared := {each.shared for each in request.calls}) > 1:
        yield Broken(SIZE, where, "one context", f"{len(shared)}")
    if request.errors:
        yield Broken("every call is valid by the API's rules", where, "no errors", f"{request.errors[:3]}")


def _rate(world: World, account: Account) -> Iterator[Broken]:
    """Of the whole group, or of each run with all its processes."""
    arrivals: dict[str, list[Request]] = defaultdict(list)
    for request in account.history.requests:
        arrivals["the group" if world.shares == "group" else request.run].append(request)
    for who, requests in arrivals.items():
        requests.sort(key=lambda each: each.arrived)
        for first, beyond in zip(requests, requests[world.requests :], strict=False):
            seconds = beyond.arrived - first.arrived
            if seconds < world.per - CLOCK_SECONDS and not _continued(account, first.arrived, beyond.arrived):
                seen = f"one more within {seconds:.3f}s: requests {first.number} to {beyond.number}"
                yield Broken(RATE, who, f"{world.requests} in {world.per:g}s", seen)


def _continued(account: Account, first: float, last: float) -> bool:
    """Whether a stopped process continued in the window or within a second before: what it had already handed to the
    system came then.

    That is the exception in docs/decisions/0013-group-rate-limit.md. While a process is stopped the limit holds.
    """
    stops = [each for each in account.history.disruptions if each.what == "stop"]
    return any(each.until - CONTINUE_SECONDS <= last and first - 1 < each.until for each in stops)


def _ahead(world: World, account: Account) -> Iterator[Broken]:
    most = world.max_records
    for acceptance in account.history.accepted:
        source = account.sources.get(acceptance.call.number)
        if source is None:
            continue
        ahead = source.offset + 1 - account.committed_at(source.partition, acceptance.at)
        if ahead > most:
            yield Broken(AHEAD, place(source), f"at most {most} records", f"{ahead}")
