"""The link between a supervisor and a worker process, over a real socket pair."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from worker.programs.child_link import ALIVE, METRICS, READY, Answering, Asking


async def test_answers_of_any_length_come_to_their_questions() -> None:
    ours, theirs = socket.socketpair()
    large = b"x" * 5_000_000
    Answering(theirs, {ALIVE: lambda: b"true", READY: lambda: b"", METRICS: lambda: large}, lambda: None)
    asking = await Asking.over(ours)
    assert await asyncio.gather(*map(asking.ask, [ALIVE, METRICS, READY, ALIVE])) == [
        b"true",
        large,
        b"",
        b"true",
    ]
    await asking.close()


async def test_a_late_answer_is_dropped_and_the_next_one_is_right() -> None:
    ours, theirs = socket.socketpair()
    may_answer = threading.Event()

    def late() -> bytes:
        may_answer.wait()
        return b"late"

    Answering(theirs, {ALIVE: late, READY: lambda: b"[]"}, lambda: None)
    asking = await Asking.over(ours)
    waiting = asyncio.create_task(asking.ask(ALIVE))
    await asyncio.sleep(0)
    waiting.cancel()
    may_answer.set()
    assert await asking.ask(READY) == b"[]"
    await asking.close()


async def test_each_side_notices_the_end_of_the_other() -> None:
    ours, theirs = socket.socketpair()
    gone = threading.Event()
    Answering(theirs, {}, gone.set)
    await (await Asking.over(ours)).close()
    assert await asyncio.to_thread(gone.wait, 60)

    ours, theirs = socket.socketpair()
    asking = await Asking.over(ours)
    waiting = asyncio.create_task(asking.ask(ALIVE))
    await asyncio.sleep(0)
    theirs.close()
    with pytest.raises(ConnectionError):
        await waiting
    with pytest.raises(ConnectionError):
        await asking.ask(ALIVE)
    await asking.close()
