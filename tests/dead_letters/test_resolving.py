"""The states of dead letters under any series of failures, replays, resolves and undos, interleaved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.dead_letters import (
    CLUSTER,
    TOPIC,
    MemorySurvey,
    MemoryTopic,
    dead_letter_record,
    read,
    records_of_mark,
)
from tests.support.memory_source import MemoryRecord
from worker.dead_letters.dead_letter import DeadLetter, read_dead_letter
from worker.dead_letters.forecast import Forecast
from worker.dead_letters.index import Counts, History, State
from worker.dead_letters.marks import How, Mark
from worker.dead_letters.resolving import Resolving
from worker.dead_letters.selection import Filters, Selection

PARTITIONS = 2
REASONS = ("MISSING_ID", "HTTP_400")
ORIGINS = st.integers(0, 4)
FILTERS = st.builds(
    Filters,
    reasons=st.sets(st.sampled_from(REASONS), max_size=1).map(frozenset),
    topics=st.sets(st.sampled_from(["topic-0", "topic-1"]), max_size=1).map(frozenset),
)


class Letter:
    """A dead letter in the model."""

    def __init__(self, origin: int, reason: str, place: tuple[int, int]) -> None:
        self.origin = origin
        self.reason = reason
        self.place = place
        self.resolved = False
        self.by = ""


class DeadLetterStates(RuleBasedStateMachine):
    """The topic, beside the simplest model of it: a list of dead letters in the order of writing."""

    @initialize()
    def begin(self) -> None:
        self.topic = MemoryTopic(PARTITIONS)
        self.letters: list[Letter] = []
        self.seconds = 100
        self.surveyed: tuple[Resolving, list[Letter]] | None = None

    # What a worker, a replay and an operator do

    @rule(origin=ORIGINS, reason=st.sampled_from(REASONS), partition=st.integers(0, PARTITIONS - 1))
    def a_worker_fails_a_record(self, origin: int, reason: str, partition: int) -> None:
        """Also a second time, in any partition: after a crash, or after its offsets were reset."""
        self._write(origin, reason, partition)

    @rule(origin=ORIGINS, how=st.sampled_from([How.SENT, How.IGNORED]))
    def a_replay_delivers_or_ignores_it(self, origin: int, how: How) -> None:
        newest = self._newest().get(origin)
        if newest and not newest.resolved:
            self._mark([newest], how=how)

    @rule(origin=ORIGINS, reason=st.sampled_from(REASONS))
    def it_fails_again_in_a_replay(self, origin: int, reason: str) -> None:
        """The new dead letter is written before the old one is marked."""
        newest = self._newest().get(origin)
        if newest and not newest.resolved:
            self._write(origin, reason, newest.place[0])
            self._mark([newest], how=How.SENT)

    @rule(origin=ORIGINS, reason=st.sampled_from(REASONS))
    def a_replay_crashes_between_the_new_dead_letter_and_the_mark(self, origin: int, reason: str) -> None:
        newest = self._newest().get(origin)
        if newest and not newest.resolved:
            self._write(origin, reason, newest.place[0])

    @rule(filters=FILTERS, undo=st.booleans())
    def an_operator_resolves_by_filters(self, filters: Filters, *, undo: bool) -> None:
        self._resolve(*self._chosen(filters, (), undo=undo), undo=undo)

    @rule(data=st.data(), undo=st.booleans())
    def an_operator_resolves_by_handles(self, data: st.DataObject, *, undo: bool) -> None:
        if self.letters:
            named = data.draw(st.lists(st.sampled_from(self.letters), min_size=1, max_size=2, unique=True))
            self._resolve(*self._chosen(None, named, undo=undo), undo=undo)

    @rule(filters=FILTERS)
    def an_operator_begins_to_resolve(self, filters: Filters) -> None:
        """The marks are written later, in the midst of what others do meanwhile."""
        self.surveyed = self._chosen(filters, (), undo=False)

    @rule()
    def the_operator_s_marks_arrive(self) -> None:
        if self.surveyed:
            self._resolve(*self.surveyed, undo=False)
            self.surveyed = None

    # What must hold

    @invariant()
    def every_record_counts_once_in_the_state_of_its_newest_dead_letter(self) -> None:
        survey, newest = MemorySurvey(self.topic), self._newest()
        found = {
            state: {
                self._letter_at(each).origin
                for each in self._all()
                if survey.index.state(each.record.partition(), each.record.offset()) is state
            }
            for state in (State.WAITING, State.RESOLVED)
        }
        waiting = {origin for origin, letter in newest.items() if not letter.resolved}
        assert found == {State.WAITING: waiting, State.RESOLVED: newest.keys() - waiting}
        again = [origin for origin in waiting if sum(each.origin == origin for each in self.letters) > 1]
        assert survey.index.counts() == Counts(len(waiting), len(newest) - len(waiting), len(again))

    @invariant()
    def show_says_the_same_as_list(self) -> None:
        newest = self._newest()
        for letter in self._all():
            history = History(letter)
            for log in self.topic.logs:
                for record in log:
                    history.add(record)
            expected = newest[self._letter_at(letter).origin]
            assert (history.newest.record.partition(), history.newest.record.offset()) == expected.place
            assert (history.state is State.RESOLVED) is expected.resolved

    @invariant()
    def a_replay_takes_exactly_what_waits(self) -> None:
        survey = MemorySurvey(self.topic)
        forecast = Forecast(survey.index, Selection(Filters(), now=0.0), cast("Any", NoMappings()), CLUSTER)
        for log in self.topic.logs:
            for record in log:
                forecast.select(record)
        assert forecast.tally.left_alone.total() == sum(not each.resolved for each in self._newest().values())

    @invariant()
    def the_list_of_resolved_names_the_last_mark(self) -> None:
        survey = MemorySurvey(self.topic)
        for letter in self.letters:
            if letter.resolved:
                assert survey.resolutions.of(*letter.place).who == letter.by

    # The model

    def _newest(self) -> dict[int, Letter]:
        return {each.origin: each for each in self.letters}

    def _write(self, origin: int, reason: str, partition: int) -> None:
        self.seconds += 1
        record = dead_letter_record(
            origin=(f"topic-{origin % 2}", 0, origin), reason=reason, failed_at=float(self.seconds)
        )
        at = self.topic.append(record, partition)
        self.letters.append(Letter(origin, reason, (partition, at)))

    def _mark(self, letters: Iterable[Letter], how: How) -> None:
        for letter in letters:
            self._append(Mark(letter.place[0], [(letter.place[1],) * 2], who="replay", how=how))
            letter.resolved, letter.by = True, "replay"

    def _append(self, mark: Mark) -> None:
        for record in records_of_mark(mark):
            self.topic.append(record, mark.partition)

    def _chosen(
        self, filters: Filters | None, named: Iterable[Letter], *, undo: bool
    ) -> tuple[Resolving, list[Letter]]:
        """What the code chooses, and what the model expects: the selected, and the older ones of their records."""
        newest, named = self._newest(), list(named)
        survey = MemorySurvey(self.topic)
        letters = [read(self.topic.logs[each.place[0]][each.place[1]]) for each in named]
        chosen = Resolving(survey.index, filters, letters, undo=undo)
        for letter in self._all():
            chosen.add(letter)
        if filters is not None:
            named = [
                each for each in newest.values() if each.resolved is undo and self._matches(filters, each)
            ]
        changing = {each.origin for each in named if newest[each.origin] is each and each.resolved is undo}
        assert chosen.selected == len(changing)
        order = {id(each): n for n, each in enumerate(self.letters)}
        expected = [
            each
            for each in self.letters
            if any(each.origin == top.origin and order[id(each)] <= order[id(top)] for top in named)
        ]
        return chosen, expected

    def _matches(self, filters: Filters, letter: Letter) -> bool:
        return filters.match(read(self.topic.logs[letter.place[0]][letter.place[1]]))

    def _resolve(self, chosen: Resolving, expected: list[Letter], *, undo: bool) -> None:
        for mark in chosen.marks("ada@laptop", "a note"):
            self._append(mark)
            for letter in self.letters:
                if mark.names(*letter.place):
                    assert letter in expected
                    letter.by = "ada@laptop"
        for letter in expected:
            letter.resolved = not undo

    def _all(self) -> Iterable[DeadLetter]:
        for log in self.topic.logs:
            for record in log:
                letter = read_dead_letter(record, CLUSTER)
                if letter is not None:
                    yield letter

    def _letter_at(self, letter: DeadLetter) -> Letter:
        place = letter.record.partition(), letter.record.offset()
        return next(each for each in self.letters if each.place == place)


class NoMappings:
    """Maps no topic: every dead letter that is selected is left alone."""

    def converter(self, *_: object, **__: object) -> None:
        return None


TestDeadLetterStates = DeadLetterStates.TestCase
TestDeadLetterStates.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_the_older_dead_letters_of_a_record_are_marked_with_the_newest() -> None:
    topic = MemoryTopic()
    for reason in ("MISSING_ID", "HTTP_400"):
        topic.append(dead_letter_record(origin=("orders", 0, 7), reason=reason))
    topic.append(dead_letter_record(origin=("orders", 0, 8)))
    chosen = Resolving(MemorySurvey(topic).index, Filters(reasons=frozenset({"HTTP_400"})))
    for record in topic.logs[0]:
        chosen.add(read(record))
    (mark,) = chosen.marks("ada@laptop", "")
    assert (mark.ranges, chosen.selected) == ([(0, 1)], 1)


def test_a_handle_that_is_not_the_newest_marks_what_is_older_and_is_reported() -> None:
    topic = MemoryTopic()
    records = [dead_letter_record(origin=("orders", 0, 7)) for _ in range(3)]
    for record in records:
        topic.append(record)
    chosen = Resolving(MemorySurvey(topic).index, None, [read(records[1])])
    for record in topic.logs[0]:
        chosen.add(read(record))
    (mark,) = chosen.marks("", "")
    assert (mark.ranges, chosen.selected, chosen.newer) == ([(0, 1)], 0, [f"{TOPIC}:0:1"])


def test_dead_letters_that_do_not_name_their_records_have_nothing_in_common() -> None:
    topic = MemoryTopic()
    for _ in range(2):
        topic.append(MemoryRecord((TOPIC, 0), 0, None, b"", [("__connect.errors.topic", b"orders")]))
    chosen = Resolving(MemorySurvey(topic).index, None, [read(topic.logs[0][1])])
    for record in topic.logs[0]:
        chosen.add(read(record))
    (mark,) = chosen.marks("", "")
    assert (mark.ranges, chosen.selected) == ([(1, 1)], 1)


def test_a_mark_of_another_partition_s_dead_letters_is_ignored_if_there_is_no_such_partition() -> None:
    topic = MemoryTopic()
    topic.append(dead_letter_record())
    topic.append(MemoryRecord((TOPIC, 0), 0, None, None, [("dlq.resolved", b"99:0")]))
    assert MemorySurvey(topic).index.counts() == Counts(1, 0, 0)
