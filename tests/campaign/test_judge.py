"""The judge finds nothing in a history in which every promise was kept, and tells each one that was not."""

from __future__ import annotations

import dataclasses
import json
import random

import pytest

from tests.campaign.events import KINDS, Call, Event, draw_event
from tests.campaign.history import (
    CONTINUE_SECONDS,
    Acceptance,
    Commit,
    DeadLetter,
    Disruption,
    Exit,
    History,
    Move,
    Request,
    Sent,
    Source,
)
from tests.campaign.judge import delivery, endings, limits, order
from tests.campaign.judge.findings import Broken, told
from tests.campaign.judge.verdict import judge
from tests.campaign.plan import draw_plan
from tests.campaign.world import World

WORLD = dataclasses.replace(
    draw_plan(1).world,
    max_calls=10,
    max_bytes=60_000,
    requests=4,
    per=1.0,
    shares="group",
    context="per_item",
    max_records=1000,
)

GOOD = (1, *[0] * (len(KINDS) - 1))
"""Weights of events that each become one call."""

DISRUPTED = Disruption(0, 1e9, "kill", "0.0")


def event(number: int, key: bytes | None = b"k", kind: str = "one") -> Event:
    weights = [int(each == kind) for each in KINDS]
    return draw_event(
        random.Random(number), number, 0, key, weights=weights, contexts=1, padding=0, unmatched="ignore"
    )


class Kept:
    """A history in which all promises are kept: each event is a record, and is done a second after the one before."""

    def __init__(self, *events: Event) -> None:
        self.history = History(events=list(events), dead_letter_partitions=1)
        for offset, each in enumerate(events):
            self.history.sources.append(
                Source(("t", 0), offset, 1000 + offset, each.key, each.value, list(each.headers), each)
            )
            self.send(*[(each.number, index) for index in range(len(each.outcome.calls))], at=float(offset))
            if each.outcome.reason:
                self.history.dead_letters.append(self.letter(offset, float(offset)))
        end = len(events)
        self.history.commits = [Commit(float(end), ("t", 0), end)]
        self.history.ends = self.history.committed = {("t", 0): end}
        self.history.exits = [Exit("0.0", 0, 0.5)]
        self.history.logs = {"0.0": '{"level": "info", "event": "worker_stopped"}\n'}

    def send(self, *names: tuple[int, int], at: float, run: str = "0.0", status: int = 200) -> Request:
        """A request with these calls, which are accepted if the status is 200."""
        request = Request(len(self.history.requests), run, at, 100, [], at + 0.1, status)
        for name in names:
            self.history.requests += [] if request in self.history.requests else [request]
            request.calls.append(self.call(*name))
            if status == 200:
                self.history.accepted.append(Acceptance(at + 0.05, request, request.calls[-1]))
        return request

    def call(self, number: int, index: int) -> Sent:
        """A call as the mapping makes it."""
        calls = self.history.events[number].outcome.calls
        body: Call = calls[index] if index < len(calls) else {"type": "track"}
        return Sent(
            f"id-{number}-{index}",
            number,
            index,
            json.dumps({**body, "messageId": f"id-{number}-{index}"}).encode(),
        )

    def letter(self, offset: int, at: float) -> DeadLetter:
        """The dead letter of a record."""
        source = self.history.sources[offset]
        origin = {"topic": "t", "partition": "0", "offset": str(offset)}
        headers = {f"__connect.errors.{name}": value for name, value in origin.items()}
        headers |= dict.fromkeys(delivery.NEEDED, "x")
        headers |= {
            "dlq.reason": source.event.outcome.reason or "HTTP_400",
            "dlq.timestamp": str(source.millis),
        }
        ours = [(name, value.encode()) for name, value in headers.items()]
        return DeadLetter(f"0:{offset}", at, 0, source.key, source.value, [*source.headers, *ours])

    def broken(self) -> set[str]:
        """The promises that the judge finds broken."""
        return {each.promise for each in judge(WORLD, self.history)}

    def accept_again(self, number: int, at: float) -> None:
        """Accept a call a second time."""
        self.send((number, 0), at=at, run="1.0")


@pytest.fixture
def kept() -> Kept:
    return Kept(*[event(number, b"k%d" % (number % 2)) for number in range(6)])


def test_nothing_is_told_of_a_history_with_every_kind_of_event() -> None:
    kept = Kept(
        *[
            event(number, b"k", kind)
            for number, kind in enumerate(each for each in KINDS if each != "refused")
        ]
    )
    assert judge(WORLD, kept.history) == []


def test_a_lost_record(kept: Kept) -> None:
    lost = kept.history.accepted.pop(3)
    assert kept.broken() >= {delivery.LOST}
    text = "\n".join(told(judge(WORLD, kept.history)))
    assert f"t:0:{lost.call.number} (event 3, one, key b'k1')" in text


def test_a_record_without_its_dead_letter() -> None:
    kept = Kept(event(0), event(1, kind="broken"))
    kept.history.dead_letters.clear()
    assert delivery.LOST in kept.broken()


def test_a_dead_letter_for_a_reason_that_the_record_does_not_give(kept: Kept) -> None:
    kept.history.dead_letters.append(kept.letter(2, 9.0))
    assert kept.broken() == {delivery.LOST}


def test_a_call_of_a_record_that_is_to_be_ignored() -> None:
    kept = Kept(event(0, kind="skipped"))
    kept.send((0, 0), at=1.0)
    assert delivery.LOST in kept.broken()


def test_a_call_that_is_not_what_the_mapping_says(kept: Kept) -> None:
    wrong = kept.call(2, 0)._replace(raw=b'{"type": "track", "userId": "someone else"}')
    kept.history.requests[2].calls = [wrong]
    kept.history.accepted[2] = kept.history.accepted[2]._replace(call=wrong)
    assert kept.broken() == {"a call is what the mapping says"}


def test_a_changed_body_when_a_call_is_sent_again(kept: Kept) -> None:
    kept.history.disruptions = [DISRUPTED]
    kept.send((1, 0), at=7.0, status=503).calls[0] = kept.call(1, 0)._replace(raw=b"{}")
    assert kept.broken() == {delivery.SAME}


def test_another_message_id_when_a_call_is_sent_again(kept: Kept) -> None:
    kept.send((1, 0), at=7.0, status=503).calls[0] = kept.call(1, 0)._replace(message_id="another")
    assert kept.broken() == {delivery.SAME}


def test_two_calls_with_one_message_id(kept: Kept) -> None:
    kept.history.requests[1].calls[0] = kept.call(1, 0)._replace(message_id="id-0-0")
    assert "two calls never share a messageId" in kept.broken()


def test_a_call_again_without_a_reason(kept: Kept) -> None:
    kept.accept_again(2, at=7.0)
    assert kept.broken() == {delivery.ONCE}


@pytest.mark.parametrize("reason", ["kill", "lost response", "move", "move of what was not known"])
def test_a_call_again_for_a_reason(kept: Kept, reason: str) -> None:
    if reason == "kill":
        kept.history.disruptions = [Disruption(3.0, 3.0, "kill")]
    elif reason == "lost response":
        kept.history.requests[2].status = 0
    else:
        # The partition moves while the record below is not done yet, or has no response yet that says so.
        kept.history.moves = [Move(3.0, frozenset({("t", 0)}))]
        if reason == "move":
            kept.history.accepted[1] = kept.history.accepted[1]._replace(at=4.0)
        else:
            kept.history.requests[1].status = 400
            kept.accept_again(1, at=4.0)
    kept.accept_again(2, at=7.0)
    assert kept.broken() == set()


def test_a_call_again_after_a_move_although_all_below_was_done(kept: Kept) -> None:
    kept.history.moves = [Move(3.5, frozenset({("t", 0)}))]
    kept.accept_again(2, at=7.0)
    assert kept.broken() == {delivery.ONCE}


def test_a_dead_letter_again_without_a_reason() -> None:
    kept = Kept(event(0, kind="broken"), event(1))
    kept.history.dead_letters.append(kept.letter(0, 5.0)._replace(place="0:1"))
    assert kept.broken() == {delivery.ONCE}


def test_dead_letters_that_are_not_complete() -> None:
    kept = Kept(event(0, kind="broken"))
    (letter,) = kept.history.dead_letters
    for wrong in (
        letter._replace(key=b""),
        letter._replace(value=None),
        letter._replace(headers=letter.headers[1:]),
        letter._replace(headers=letter.headers[:-2]),
        letter._replace(partition=2),
    ):
        kept.history.dead_letters = [wrong]
        assert delivery.COMPLETE in kept.broken()


def test_a_commit_before_the_record_was_accepted(kept: Kept) -> None:
    kept.history.commits.insert(0, Commit(2.0, ("t", 0), 3))
    assert kept.broken() == {delivery.COMMITTED}


def test_a_commit_before_the_dead_letter_was_written() -> None:
    kept = Kept(event(0), event(1, kind="nobody"), event(2))
    kept.history.commits.insert(0, Commit(0.5, ("t", 0), 2))
    assert kept.broken() == {delivery.COMMITTED}


def test_a_key_that_is_reordered(kept: Kept) -> None:
    first, second = kept.history.accepted[2], kept.history.accepted[4]
    kept.history.accepted[2], kept.history.accepted[4] = (
        second._replace(at=first.at),
        first._replace(at=second.at),
    )
    assert kept.broken() == {order.IN_ORDER}


def test_what_comes_again_in_order_is_no_reordering(kept: Kept) -> None:
    kept.history.disruptions = [DISRUPTED]
    for number in (2, 3, 4):
        kept.accept_again(number, at=7.0 + number)
    assert kept.broken() == set()


def test_records_without_a_key_have_no_order() -> None:
    kept = Kept(event(0, None), event(1, None))
    kept.history.accepted.reverse()
    assert kept.broken() == set()


def test_a_call_that_was_refused_alone_does_not_hold_its_key_back() -> None:
    kept = Kept(event(0), event(1), event(2))
    accepted = kept.history.accepted.pop(0)
    kept.history.requests[0].status = 400
    kept.history.dead_letters.append(kept.letter(0, 0.5))
    assert kept.broken() == set()
    # A kill before the commit has it sent again, and now it is accepted.
    kept.history.disruptions = [DISRUPTED]
    kept.history.accepted.append(accepted._replace(at=2.5, request=kept.send((0, 0), at=2.5, status=202)))
    assert kept.broken() == set()


def test_a_key_in_two_requests_at_a_time(kept: Kept) -> None:
    kept.history.requests[2].ended = 4.5
    assert kept.broken() == {order.ALONE}
    kept.history.requests[2].abandoned = True
    assert order.ALONE not in kept.broken()


def test_a_window_over_the_limit(kept: Kept) -> None:
    for request, at in zip(kept.history.requests, (0.0, 1.5, 1.7, 1.9, 2.1, 2.4), strict=True):
        request.arrived = request.ended = at
    assert kept.broken() == {limits.RATE}
    kept.history.requests[-1].arrived = kept.history.requests[-1].ended = 2.6
    assert kept.broken() == set()


@pytest.mark.parametrize(("continued", "broken"), [(1.2, False), (2.0, False), (2.5, True)])
def test_a_window_over_the_limit_is_excused_only_when_a_stopped_process_continues(
    kept: Kept,
    continued: float,
    broken: bool,  # noqa: FBT001 - a table of cases
) -> None:
    for request, at in zip(kept.history.requests, (0.0, 1.5, 1.7, 1.9, 2.1, 2.4), strict=True):
        request.arrived = request.ended = at
    kept.history.disruptions = [Disruption(0.5, continued + CONTINUE_SECONDS, "stop", "0.0")]
    assert (limits.RATE in kept.broken()) is broken


def test_a_limit_of_each_run_is_not_one_of_the_group(kept: Kept) -> None:
    for number, request in enumerate(kept.history.requests):
        request.arrived = request.ended = 0.1 * number
        request.run = f"{number % 2}.0"
    world = dataclasses.replace(WORLD, shares="process")
    assert list(_rates(world, kept)) == []
    assert len(list(_rates(WORLD, kept))) == 2


def _rates(world: World, kept: Kept) -> list[Broken]:
    return [each for each in judge(world, kept.history) if each.promise == limits.RATE]


@pytest.mark.parametrize("wrong", ["bytes", "calls", "twice", "errors"])
def test_a_request_that_is_not_allowed(kept: Kept, wrong: str) -> None:
    request = kept.history.requests[0]
    if wrong == "bytes":
        request.size = WORLD.max_bytes + 1
    elif wrong == "calls":
        request.calls *= WORLD.max_calls + 1
    elif wrong == "twice":
        request.calls *= 2
    else:
        request.errors = ["userId is missing"]
    assert kept.broken() & {limits.SIZE, "every call is valid by the API's rules"}


def test_two_contexts_in_one_request(kept: Kept) -> None:
    kept.history.requests[0].calls = [kept.call(0, 0), kept.call(0, 0)._replace(shared="another")]
    world = dataclasses.replace(WORLD, context="partition")
    assert "one context" in {each.expected for each in judge(world, kept.history)}


def test_a_worker_that_is_too_far_ahead_of_its_commits(kept: Kept) -> None:
    world = dataclasses.replace(WORLD, max_records=3)
    assert {each.promise for each in judge(world, kept.history)} == {limits.AHEAD}
    kept.history.commits = [Commit(float(offset), ("t", 0), offset) for offset in range(1, 7)]
    assert judge(world, kept.history) == []


def test_a_world_that_does_not_come_to_rest(kept: Kept) -> None:
    kept.history.committed = {("t", 0): 5}
    kept.history.not_ready = ["member 0: ['UNAUTHORIZED']"]
    assert [each.promise for each in judge(WORLD, kept.history)] == [endings.REST] * 2


@pytest.mark.parametrize(
    ("end", "broken"),
    [
        (Exit("0.0", 1, 2.0), True),
        (Exit("0.0", -15, 0.1), True),
        (Exit("0.0", 1, 0.5, at_once=True), False),
        (Exit("0.0", 1, 15.5), False),
    ],
)
def test_exit_codes(kept: Kept, end: Exit, broken: bool) -> None:  # noqa: FBT001 - a table of cases
    kept.history.exits = [end]
    assert kept.broken() == ({endings.EXIT} if broken else set())


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        '{"level": "error", "event": "unhandled", "stack": ["worker/x.py:1 f"]}',
        '{"level": "error", "event": "storm_broke"}',
        '{"level": "error", "event": "delivery_held"}',
    ],
)
def test_a_log_with_something_unexpected(kept: Kept, line: str) -> None:
    kept.history.logs["0.0"] += line + "\n"
    assert kept.broken() == {endings.LOG}


def test_an_error_that_a_fault_explains(kept: Kept) -> None:
    kept.history.logs["0.0"] += '{"level": "error", "event": "delivery_held"}\n'
    kept.history.happened = {"api"}
    assert kept.broken() == set()


def test_a_log_with_private_data(kept: Kept) -> None:
    kept.history.logs["0.0"] += '{"level": "info", "event": "e", "message": "ada.lovelace-1"}\n'
    assert kept.broken() == {endings.PRIVATE}


def test_a_plan_is_the_same_each_time_it_is_drawn() -> None:
    for seed in range(1, 50):
        assert draw_plan(seed) == draw_plan(seed)
    events = list(draw_plan(3).world.events())
    assert events == list(draw_plan(3).world.events())
