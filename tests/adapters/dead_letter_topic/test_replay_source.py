"""A series of replays of one topic, with any selection, interrupted anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dead_letters import CLUSTER, TOPIC, MemorySurvey, MemoryTopic, dead_letter_record
from tests.support.memory_source import MemoryRecord
from tests.support.recorded_telemetry import RecordedTelemetry
from worker.adapters.dead_letter_topic.replay_source import ReplayOutcome, ReplaySource
from worker.core.reasons import Rejected, Stage
from worker.core.records import Converter, Partition, QueuedCall, Record, RejectedRecord
from worker.dead_letters.dead_letter import read_dead_letter
from worker.dead_letters.failed_record import FailedRecord
from worker.dead_letters.forecast import Forecast, ReplayedDeadLetter
from worker.dead_letters.headers import headers_of
from worker.dead_letters.selection import Filters, LeftAlone, Selection
from worker.dead_letters.summary import Summary
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import CommitFailed, Response, Start
from worker.programs.replay import replayed as convert_replayed
from worker.settings import Settings

REASONS = ("MISSING_ID", "HTTP_400", "INVALID_JSON")


class StubMappings:
    """The mapping of every topic: one call for each record, except for values `ignored` and `bad`."""

    def converter(self, topic: str, ids: object, on_slow: object, *, on_notice: object) -> Converter | None:
        return None if topic == "gone" else self.convert

    def prepare(self, topic: str, records: object) -> None:
        """Needs no schemas."""

    @staticmethod
    def convert(records: Sequence[Record], calls: list[QueuedCall], rejected: list[RejectedRecord]) -> int:
        (record,) = records
        if record.value() == b"bad":
            rejected.append((record, Rejected(Stage.MAP, "MAPPER_FAILED", "it raised", rule="rules.yaml:1")))
        elif record.value() != b"ignored":
            body = b'{"type":"track","event":"E","n":%d},' % record.offset()
            calls.append((record.key() or record.offset(), body, record, 0, b"", "rules.yaml:1"))
        return record.value() == b"ignored"


class Assigned:
    """Records what the source assigns."""

    def __init__(self) -> None:
        self.finished: dict[Partition, int] = {}

    def assigned(self, starts: Mapping[Partition, Start]) -> None:
        self.starts = starts

    async def revoked(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return self.finished

    def lost(self, partitions: Sequence[Partition]) -> None:
        raise AssertionError


class Run:
    """One replay, step by step."""

    def __init__(self, topic: MemoryTopic, filters: Filters, limit: int | None = None, **more: Any) -> None:
        self.survey = topic.survey()
        self.selection = Selection(filters, now=0.0, limit=limit, **more)
        self.forecast = Forecast(
            cast("Any", self.survey).index, self.selection, cast("Any", StubMappings()), CLUSTER
        )
        self.telemetry = RecordedTelemetry()
        self.source = ReplaySource(
            cast("Any", topic), cast("Any", self.survey), self.forecast, cast("Any", topic),
            cast("Any", self.telemetry), who="ada@laptop",
        )  # fmt: skip
        self.taken: list[ReplayedDeadLetter] = []

    async def take(self, times: int, limit: int) -> dict[Partition, int]:
        """Fetch up to `times` times; returns the positions reached."""
        positions: dict[Partition, int] = {}
        for _ in range(times):
            if not cast("Any", self.source)._scan.left:
                break
            fetched = await self.source.fetch(limit)
            self.taken += cast("list[ReplayedDeadLetter]", fetched.records)
            positions |= fetched.positions
        return positions


def waiting(topic: MemoryTopic) -> list[tuple[str, int]]:
    """Reason and source offset of each waiting dead letter, in order."""
    survey = MemorySurvey(topic)
    found = []
    for log in topic.logs:
        for record in log:
            dead_letter = read_dead_letter(record, CLUSTER)
            if dead_letter and survey.index.state(record.partition(), record.offset()).name == "WAITING":
                assert dead_letter.origin
                found.append((dead_letter.reason, dead_letter.origin.offset()))
    return found


LETTERS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(REASONS)), max_size=20)
RUNS = st.lists(
    st.tuples(st.sets(st.sampled_from(REASONS)), st.integers(0, 6), st.integers(1, 5), st.integers(0, 20)),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(LETTERS, RUNS)
def test_interrupted_replays_lose_no_dead_letter_and_send_no_marked_one_again(
    dead_letters: list[tuple[int, str]], runs: list[tuple[set[str], int, int, int]]
) -> None:
    async def scenario() -> None:
        topic = MemoryTopic()
        for origin, reason in dead_letters:
            topic.append(dead_letter_record(origin=("orders", 0, origin), reason=reason))
        newest = dict(dead_letters)
        marked: set[int] = set()
        for reasons, times, limit, end in runs:
            run = Run(topic, Filters(reasons=frozenset(reasons)))
            await run.source.open(Assigned())
            before = {origin: reason for reason, origin in waiting(topic)}
            assert before == {origin: newest[origin] for origin in newest if origin not in marked}
            reached = (await run.take(times, limit)).get((TOPIC, 0), 0)
            taken = [(each.letter.reason, each.origin.offset()) for each in run.taken]
            assert not {origin for _, origin in taken} & marked
            assert all(not reasons or reason in reasons for reason, _ in taken)
            places = [each.offset() for each in run.taken]
            assert places == sorted(places)
            committed = min(end, reached)
            await run.source.commit({(TOPIC, 0): committed})
            marked |= {each.origin.offset() for each in run.taken if each.offset() < committed}
            run.source._thread.shutdown()  # like a crash: the rest is not marked
        last = Run(topic, Filters())
        assigned = Assigned()
        await last.source.open(assigned)
        assigned.finished = await last.take(50, 3)
        assert {each.origin.offset() for each in last.taken} == newest.keys() - marked
        await last.source.close()
        assert waiting(topic) == []

    asyncio.run(scenario())


async def test_marks_that_failed_are_written_again_at_the_next_commit() -> None:
    topic = MemoryTopic()
    topic.append(dead_letter_record(origin=("orders", 0, 1)))
    run = Run(topic, Filters())
    await run.source.open(Assigned())
    await run.take(2, 5)
    topic.failures = 1
    with pytest.raises(CommitFailed):
        await run.source.commit({(TOPIC, 0): 1})
    assert (len(waiting(topic)), run.source.marked[ReplayOutcome.SENT]) == (1, 0)
    await run.source.commit({(TOPIC, 0): 1})
    assert (len(waiting(topic)), run.source.marked[ReplayOutcome.SENT]) == (0, 1)
    assert run.telemetry.of("commit_failed") == [("the broker is not available",)]
    await run.source.close()


async def test_a_limit_replays_the_first_dead_letters_and_leaves_the_rest_waiting() -> None:
    topic = MemoryTopic()
    for n in range(10):
        topic.append(dead_letter_record(origin=("orders", 0, n)))
    run = Run(topic, Filters(), limit=4)
    assigned = Assigned()
    await run.source.open(assigned)
    assigned.finished = await run.take(5, 3)
    assert assigned.finished == {(TOPIC, 0): 10}
    await run.source.close()
    assert [origin for _, origin in waiting(topic)] == [4, 5, 6, 7, 8, 9]


class RewrittenDeadLetters:
    """Writes dead letters to the same topic, like `DeadLetterTopic(replaying=True)`."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic

    async def write(self, dead_letters: Sequence[FailedRecord]) -> list[str | None]:
        for dead_letter in dead_letters:
            found = headers_of(dead_letter, CLUSTER, replaying=True)
            headers = [
                (name, each.encode() if isinstance(each, str) else each)
                for name, each in [*found.own, *found.ours]
            ]
            record = dead_letter.record
            self._topic.append(MemoryRecord((TOPIC, 0), 0, record.key(), record.value(), headers))
        return [None] * len(dead_letters)

    async def close(self) -> None:
        pass


class Api:
    """Returns `status` to every request."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 200

    async def send(self, body: bytes, records: Sequence[Record], calls: int) -> Response:
        self.bodies.append(body)
        return Response(self.status)

    async def close(self) -> None:
        pass


async def converter(_topic: str) -> Converter:
    return convert_replayed


async def replayed(topic: MemoryTopic, api: Api, **selection: Any) -> Run:
    run = Run(topic, Filters(), **selection)
    calm = {
        "batch": {"linger": "0s"},
        "dead_letters": {"halt_after_consecutive": 100_000, "halt_above_ratio": 1.0},
    }
    pipeline = Pipeline(
        run.source, api, RewrittenDeadLetters(topic), converter,
        Settings.model_validate(calm), cast("Any", run.telemetry),
    )  # fmt: skip
    assert await pipeline.run(until_caught_up=True)
    return run


async def test_a_dead_letter_that_fails_again_is_rewritten_with_its_history_and_not_read_in_the_same_run() -> (
    None
):
    topic, api = MemoryTopic(), Api()
    for n, value in enumerate([b"bad", b"{}", b"ignored", b"bad"]):
        topic.append(dead_letter_record(origin=("orders", 0, n), value=value, own=[("trace", b"1")]))
    run = await replayed(topic, api)
    assert len(api.bodies) == 1
    assert run.source.marked == {ReplayOutcome.SENT: 3, ReplayOutcome.IGNORED: 1}
    assert waiting(topic) == [("MAPPER_FAILED", 0), ("MAPPER_FAILED", 3)]
    again = [dead_letter for each in topic.logs[0][4:] if (dead_letter := read_dead_letter(each, CLUSTER))]
    assert [dead_letter.replays for dead_letter in again] == [1, 1]
    assert all(dead_letter.rule == "rules.yaml:1" for dead_letter in again)
    await replayed(topic, api, max_replays=2)
    assert {each.replays for each in map_waiting(topic)} == {2}
    capped = await replayed(topic, api, max_replays=2)
    assert capped.forecast.tally.left_alone == {LeftAlone.REPLAYED_TOO_OFTEN: 2}
    assert (capped.forecast.tally.selected, len(waiting(topic))) == (0, 2)


async def test_a_call_refused_again_is_rewritten_and_a_topic_without_a_mapping_is_left_alone() -> None:
    topic, api = MemoryTopic(), Api()
    topic.append(dead_letter_record(origin=("orders", 0, 1), reason="HTTP_400"))
    topic.append(dead_letter_record(origin=("gone", 0, 1)))
    api.status = 400
    run = await replayed(topic, api)
    assert run.forecast.tally.left_alone == {LeftAlone.NOT_MAPPED: 1}
    assert [(dead_letter.reason, dead_letter.replays) for dead_letter in map_waiting(topic)] == [
        ("MISSING_ID", 0),
        ("HTTP_400", 1),
    ]


def map_waiting(topic: MemoryTopic) -> list[Any]:
    """The waiting dead letters."""
    survey = MemorySurvey(topic)
    dead_letters = [read_dead_letter(record, CLUSTER) for log in topic.logs for record in log]
    return [
        each
        for each in dead_letters
        if each and survey.index.state(each.record.partition(), each.record.offset()).name == "WAITING"
    ]


@given(st.lists(st.tuples(st.sampled_from(REASONS), st.integers(0, 1000)), min_size=1))
def test_a_group_has_the_number_and_the_first_and_last_failure_of_its_dead_letters(
    dead_letters: list[tuple[str, int]],
) -> None:
    summary = Summary(now=2000.0)
    for offset, (reason, at) in enumerate(dead_letters):
        dead_letter = read_dead_letter(
            dead_letter_record(offset, reason=reason, failed_at=float(at)), CLUSTER
        )
        assert dead_letter
        summary.count(dead_letter)
    assert summary.total == sum(summary.ages.values()) == summary.ages["under 1h"] == len(dead_letters)
    for cause, group in summary.largest_first():
        times = [at for reason, at in dead_letters if reason == cause.reason]
        assert (group.count, group.first, group.last) == (len(times), min(times), max(times))
        newest = dead_letters[int(group.example.rpartition(":")[2])]
        assert newest == (cause.reason, max(times))
