"""What fixtures do not reach: rules, topics, and expressions that never find a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from worker.documents.problems import Problem
from worker.mapping.expressions.expression import Expression
from worker.mapping.files.topics import matches
from worker.mapping.trying.steps import steps_of

if TYPE_CHECKING:
    from worker.mapping.mappings import Mappings
    from worker.mapping.trying.fixtures import FixtureResult


class Unfilled(NamedTuple):
    """An expression of a rule that fixtures reach, and that finds nothing in any of them.

    Attributes:
        file: the mapping file.
        line, column: where it stands.
        field: which field of the call it is for.
    """

    file: str
    line: int
    column: int
    field: str

    @property
    def at(self) -> str:
        """Where it stands, as `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        """The field and its place, for a list of those of one file."""
        return f"{self.field} ({self.line}:{self.column})"


def rules_never_hit(mappings: Mappings, results: Iterable[FixtureResult]) -> list[str]:
    """The rules that no fixture came to, as `file:line`."""
    hit = {result.rule for result in results}
    return [rule.at for file in mappings.files for rule in file.rules if rule.at not in hit]


def topics_without_events(mappings: Mappings, results: Iterable[FixtureResult]) -> list[str]:
    """The topics, and patterns of topics, of which no fixture has an event."""
    tried = {result.fixture.record.topic() for result in results}
    return [name for name in mappings.subscriptions if not any(matches(name, topic) for topic in tried)]


def unknown_topics(mappings: Mappings, results: Iterable[FixtureResult]) -> list[Problem]:
    """The fixtures whose topic no mapping file names, each as a problem with near matches."""
    found = ((result.fixture.at, mappings.unknown_topic(result.fixture.record.topic())) for result in results)
    return [_at(at, problem) for at, problem in found if problem]


def events_without_rules(results: Iterable[FixtureResult]) -> list[str]:
    """Where the fixtures are whose events no rule matches, as `file:line`."""
    unmatched = {"ignored (no rule matched)", "ignored (tombstone)", "rejected with UNMATCHED"}
    return [result.fixture.at for result in results if result.rule is None and result.outcome in unmatched]


def never_filled(mappings: Mappings, results: Sequence[FixtureResult]) -> list[Unfilled]:
    """The expressions that find nothing in any fixture, of the rules that fixtures reach."""
    filled: set[str] = set()
    reached: set[str] = set()
    written = mappings.taking_json()
    for result in results:
        if result.rule is not None:
            reached.add(result.rule)
            filled |= _filled(written, result)
    # Calls that share a default share its expression.
    return list(dict.fromkeys(each for each in _expressions(mappings, reached) if each.at not in filled))


def gaps(mappings: Mappings, results: Sequence[FixtureResult]) -> list[Problem]:
    """Everything that the fixtures do not cover, each as a problem with its place."""
    topics = [
        Problem(f"no fixture has an event of '{name}'") for name in topics_without_events(mappings, results)
    ]
    rules = [_at(at, "no fixture reaches this rule") for at in rules_never_hit(mappings, results)]
    events = [_at(at, "no rule matches this event") for at in events_without_rules(results)]
    fields = [
        Problem(f"no fixture fills {each.field}", each.file, each.line, each.column)
        for each in never_filled(mappings, results)
    ]
    return [*topics, *rules, *events, *fields]


def _at(place: str, message: str) -> Problem:
    file, _, line = place.rpartition(":")
    return Problem(message, file, int(line))


def _filled(mappings: Mappings, result: FixtureResult) -> set[str]:
    calls = steps_of(mappings, result.fixture.record, result.explanation).calls
    return {each.at for _, fields in calls for each in fields if each.found.value is not None}


def _expressions(mappings: Mappings, reached: set[str]) -> Iterable[Unfilled]:
    """All expressions of these rules, but for literals."""
    for file in mappings.files:
        document = file.document
        for rule in file.rules:
            for call in rule.calls if rule.at in reached else ():
                for path, value in call.values():
                    if path[0] in call.of_envelope:
                        continue
                    if isinstance(value, Expression) and not value.is_literal:
                        line, column = document.position(call.at(path))
                        field = ".".join(map(str, path))
                        yield Unfilled(document.file, line, column, field)
