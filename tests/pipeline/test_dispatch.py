from __future__ import annotations

from tests.support.scripted_api import Reply, Request
from tests.support.simulation import Member, World


async def test_a_request_begins_before_the_next_batch_is_taken() -> None:
    """Taking a batch takes milliseconds in a backlog: several in a row would delay all their requests."""
    world = World(batch={"max_calls": 5, "linger": "0s"})
    for number in range(20):
        world.add(f"key-{number}")
    taken: list[int] = []
    members: list[Member] = []

    def reply(_request: Request) -> Reply:
        taken.append(len(members[0].telemetry.of("batch_closed")))
        return Reply()

    members.append(world.member(reply))
    await world.settled()
    assert taken == [1, 2, 3, 4]
