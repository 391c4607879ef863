"""Nothing is lost, nothing is made up, what comes again is the same, and nothing is committed too early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.campaign.events import Call
from tests.campaign.history import DeadLetter, Source
from tests.campaign.judge.account import CLOCK_SECONDS, Account, Name, origin_of, place
from tests.campaign.judge.findings import Broken

LOST = "every record is delivered, ignored, or a dead letter for the right reason"
SAME = "what is sent again has the same messageId and the same bytes"
ONCE = "calls and dead letters come again only after a lost response, a kill, or a lost partition"
COMPLETE = "a dead letter is complete"
COMMITTED = "no offset is committed before everything below it is done"


def findings(account: Account) -> Iterator[Broken]:
    """All that is wrong with what became of records."""
    yield from _produced(account)
    for source in account.history.sources:
        yield from _calls(account, source)
        yield from _dead_letters(account, source)
    yield from _made_up(account)
    yield from _ids(account)
    yield from _again(account)
    yield from _committed(account)


def _produced(account: Account) -> Iterator[Broken]:
    """What the campaign itself promises: otherwise nothing else means anything."""
    numbers = sorted(each.event.number for each in account.history.sources)
    if numbers != [each.number for each in account.history.events]:
        yield Broken(
            "each event is produced once",
            "the source topics",
            f"{len(account.history.events)}",
            f"{len(numbers)}",
        )


def _calls(account: Account, source: Source) -> Iterator[Broken]:
    for index, expected in enumerate(source.event.outcome.calls):
        name = source.event.number, index
        if accepted := account.accepted.get(name):
            if (seen := _without_id(accepted[0].call.raw)) != expected:
                yield Broken("a call is what the mapping says", place(source), _shown(expected), _shown(seen))
        elif _is_passed(account, source) and (name not in account.refused or not account.letters_of(source)):
            seen_in = [
                f"request {each.number}"
                for each in account.history.requests
                if name in {call.name for call in each.calls}
            ]
            yield Broken(
                LOST,
                place(source),
                f"call {index} is accepted",
                f"never; it was sent in {seen_in or 'no request'}",
            )


def _is_passed(account: Account, source: Source) -> bool:
    """Whether the group has committed past a record. If not, it is not lost: the world has not come to rest."""
    return source.offset < account.history.committed.get(source.partition, 0)


def _without_id(raw: bytes) -> Call:
    call: Call = json.loads(raw)
    call.pop("messageId", None)
    return call


def _shown(call: Call) -> str:
    return json.dumps(call, sort_keys=True, ensure_ascii=False)[:500]


def _dead_letters(account: Account, source: Source) -> Iterator[Broken]:
    letters = account.letters_of(source)
    outcome = source.event.outcome
    allowed = {f"HTTP_{status}" for status in _statuses(account, source)}
    if outcome.reason is not None and outcome.refused is None:
        allowed = {outcome.reason}
        if not letters and _is_passed(account, source):
            yield Broken(LOST, place(source), f"a dead letter, {outcome.reason}", "none")
    for letter in letters:
        if (reason := letter.header("dlq.reason")) not in allowed:
            yield Broken(LOST, place(source), f"a dead letter for one of {sorted(allowed)}", f"{reason}")
        yield from _complete(account, source, letter)


def _statuses(account: Account, source: Source) -> set[int]:
    """The statuses with which calls of a record were refused alone."""
    names = [(source.event.number, index) for index in range(len(source.event.outcome.calls))]
    return {request.status for name in names for request in account.refused.get(name, ())}


def _complete(account: Account, source: Source, letter: DeadLetter) -> Iterator[Broken]:
    own = len(source.headers)
    expected: dict[str, Any] = {
        "key": source.key,
        "value": source.value,
        "headers of the record": source.headers,
        "partition": source.partition[1]
        if source.partition[1] < account.history.dead_letter_partitions
        else letter.partition,
        "dlq.timestamp": str(source.millis),
    }
    seen = {
        "key": letter.key,
        "value": letter.value,
        "headers of the record": letter.headers[:own],
        "partition": letter.partition,
        "dlq.timestamp": letter.header("dlq.timestamp"),
    }
    for name, value in expected.items():
        if seen[name] != value:
            yield Broken(COMPLETE, place(source), f"{name} {value!r}", f"{seen[name]!r}")
    missing = [name for name in NEEDED if not letter.header(name)]
    if missing:
        yield Broken(COMPLETE, place(source), f"headers {missing}", "none")


NEEDED = (
    "__connect.errors.stage",
    "__connect.errors.exception.class.name",
    "__connect.errors.exception.message",
    "dlq.stage",
    "dlq.attempts",
    "dlq.replays",
    "dlq.failed_at",
    "dlq.worker_version",
    "dlq.cluster_id",
)


def _made_up(account: Account) -> Iterator[Broken]:
    for name, accepted in account.accepted.items():
        source = account.sources.get(name[0])
        if source is None or name[1] >= len(source.event.outcome.calls):
            where = "no event" if source is None else place(source)
            yield Broken(LOST, where, f"no call {name[1]}", f"{accepted[0].call.raw[:300]!r}")
    origins = {
        (each.partition[0], str(each.partition[1]), str(each.offset)) for each in account.history.sources
    }
    for letter in account.history.dead_letters:
        if origin_of(letter) not in origins:
            yield Broken(LOST, f"dead letter {letter.place}", "one of a record", f"{origin_of(letter)}")


def _ids(account: Account) -> Iterator[Broken]:
    """Of everything that was sent, accepted or not."""
    first: dict[Name, tuple[str, bytes]] = {}
    owners: dict[str, Name] = {}
    for request in account.history.requests:
        for call in request.calls:
            known = first.setdefault(call.name, (call.message_id, call.raw))
            where = f"event {call.number}, call {call.position}, in request {request.number}"
            if known != (call.message_id, call.raw):
                yield Broken(SAME, where, f"{known}", f"{(call.message_id, call.raw)}")
            if owners.setdefault(call.message_id, call.name) != call.name:
                yield Broken(
                    "two calls never share a messageId",
                    where,
                    f"not the id of {owners[call.message_id]}",
                    call.message_id,
                )


def _again(account: Account) -> Iterator[Broken]:
    for source in account.history.sources:
        for index in range(len(source.event.outcome.calls)):
            yield from _call_again(account, source, index)
        letters = account.letters_of(source)
        for letter, again in pairwise(letters):
            if not account.may_come_again(source, letter.at, again.at):
                seen = f"another, {again.place}, {again.at - letter.at:.3f}s later"
                yield Broken(ONCE, place(source), f"one dead letter, {letter.place} at {letter.at:.3f}", seen)


def _call_again(account: Account, source: Source, index: int) -> Iterator[Broken]:
    accepted = account.accepted.get((source.event.number, index), [])
    for number, later in enumerate(accepted[1:], 1):
        earlier = accepted[:number]
        lost = not all(each.request.is_answered for each in earlier)
        if not lost and not account.may_come_again(source, earlier[-1].at, later.at):
            first = [
                f"request {each.request.number} of {each.request.run} at {each.at:.3f}" for each in earlier
            ]
            seen = f"again in request {later.request.number} of {later.request.run} at {later.at:.3f}"
            yield Broken(ONCE, f"{place(source)}, call {index}", f"once: {first}", seen)


def _committed(account: Account) -> Iterator[Broken]:
    """Each commit that the coordinator stored, against the time at which the last record below it was done."""
    for commit in account.history.commits:
        last = account.last_done(commit.partition, commit.offset)
        if last is not None and last[0] > commit.at + CLOCK_SECONDS:
            seen = f"offset {commit.offset} was committed at {commit.at:.3f}"
            yield Broken(COMMITTED, place(last[1]), f"done first: it was at {last[0]:.3f}", seen)
