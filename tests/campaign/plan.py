"""The faults of a world, drawn from its seed, and when each happens."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.campaign.world import SESSION_SECONDS, TIMEOUT_SECONDS, World, draw_world

FAULT_SECONDS = 10.0
"""In this time all faults begin."""

START_SECONDS = 2.5
"""About how long a process takes to start."""

MOST_PROCESSES = 5
"""How many worker processes may run at a time."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to a world.

    Attributes:
        at: seconds after the first member was ready.
        what: one of the methods of `faults.Faults`, with spaces.
        member: the number of the member that it happens to; new members have new numbers.
        seconds: how long it lasts, or until the member is started again.
        arguments: anything else.
    """

    at: float
    what: str
    member: int | None = None
    seconds: float | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The fault in a few words."""
        member = "" if self.member is None else f" {self.member}"
        seconds = "" if self.seconds is None else f" for {self.seconds:g}s"
        more = "".join(f" {name}={value}" for name, value in self.arguments.items())
        return f"{self.at:.1f}s {self.what}{member}{seconds}{more}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A world with its faults."""

    world: World
    faults: tuple[Fault, ...]

    @property
    def has(self) -> set[str]:
        """The kinds of its faults."""
        return {each.what for each in self.faults}

    def without_faults(self) -> Plan:
        """The same world, in which nothing happens."""
        return replace(self, faults=())


def draw_plan(seed: int) -> Plan:
    """The world and the faults of a seed: the same every time."""
    world = draw_world(seed)
    rng = random.Random(f"faults of {seed}")
    faults = [*_members(rng, world), *_api(rng)]
    # With a limit of the group there is nothing to disturb at first: shares begin seconds after the assignment.
    later = 5.0 + 2 * world.per if world.shares == "group" else 0.0
    faults = [replace(each, at=round(each.at + later, 1)) for each in faults]
    return Plan(world, tuple(sorted(faults, key=lambda each: each.at)))


def _members(rng: random.Random, world: World) -> Iterator[Fault]:
    """What happens to members, the broker and topics. Nothing happens to a member that is gone until it is back."""
    free_at = dict.fromkeys(range(len(world.members)), 0.5)
    for _ in range(rng.choice((2, 3, 4, 6))):
        at = round(rng.uniform(0.5, FAULT_SECONDS), 1)
        members = [member for member, free in free_at.items() if free <= at]
        joined = sum(world.members) + len(free_at) - len(world.members)
        what = rng.choice(
            ("kill", "kill child", "kill child", "stop", "stop", "leave", "join", "twice", "partitions")
        )
        if what == "join" and joined < MOST_PROCESSES:
            member = len(free_at)
            free_at[member] = at + START_SECONDS
            yield Fault(at, "join", member, arguments={"processes": 1})
        elif what == "partitions":
            topic = rng.randrange(len(world.topics))
            yield Fault(at, "add partitions", arguments={"topic": topic, "more": rng.choice((1, 2))})
        elif what != "join" and members:
            fault = _of_member(rng, world, what, rng.choice(members), at)
            assert fault.member is not None
            free_at[fault.member] = at + (fault.seconds or 0) + START_SECONDS
            yield fault
    if rng.random() < 0.2:
        yield Fault(round(rng.uniform(2, 6), 1), rng.choice(("restart the broker", "kill the broker")))


def _of_member(rng: random.Random, world: World, what: str, member: int, at: float) -> Fault:
    processes = world.members[member] if member < len(world.members) else 1
    child = {"child": rng.randrange(processes)} if processes > 1 else {}
    again = rng.choice((0.0, 1.0, 3.0))
    if what == "stop":
        # Shorter and longer than a session. Without a child's number it is the supervisor, or the only process.
        seconds = rng.choice((0.7, SESSION_SECONDS / 2, SESSION_SECONDS + 1.5))
        return Fault(at, "stop", member, seconds, child if rng.random() < 0.8 else {})
    if what == "kill child" and child:
        return Fault(at, "kill child", member, arguments=child)
    if what == "leave":
        return Fault(at, "leave", member, again)
    if what == "twice":
        return Fault(at, "leave at once", member, again)
    return Fault(at, "kill", member, again)


API_FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 429, "retry_after": 1, "times": 3},
    {"status": 429, "times": 10, "every": 2},
    {"status": 500, "times": 20, "every": 2},
    {"status": 503, "times": None},
    {"status": 502, "times": 3, "body": "<html>Bad Gateway</html>"},
    {"status": 400, "times": 2},
    {"status": 400, "times": 2, "every": 3},
    {"status": 413, "times": 2},
    {"status": 422, "times": 1},
    {"status": 401, "times": None},
    {"status": 404, "times": None},
    {"status": 200, "times": 3, "body": "<html>Please log in</html>"},
    {"reset": True, "times": 3},
    {"reset": True, "after": True, "times": 5, "every": 2},
    {"truncate": True, "after": True, "times": 5, "every": 3},
    {"status": 503, "after": True, "times": 4},
    {"stall": True, "times": 2},
    {"stall": True, "after": True, "times": 2},
    {"delay": 0.3, "times": None, "every": 2},
    {"delay": TIMEOUT_SECONDS / 2, "times": 4},
)
"""Faults of the API. `after`: the calls were accepted, and only the response is lost."""


def _api(rng: random.Random) -> Iterator[Fault]:
    for _ in range(rng.choice((0, 1, 2, 3, 4))):
        at, seconds = round(rng.uniform(0.2, FAULT_SECONDS), 1), rng.choice((0.5, 1.5, 3.0))
        yield Fault(at, "api", seconds=seconds, arguments=rng.choice(API_FAULTS))
