"""How much of each topic the mapping ignores, and which rules have matched nothing. Fixtures cannot show either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

ENOUGH_RECORDS = 1_000
"""The number of mapped records of a topic after which a rule without a match is reported. With fewer, rules for rare
events would be reported after every start."""


@dataclass(slots=True)
class TopicUse:
    """What became of a topic's records since the process started.

    Attributes:
        consumed, ignored: records.
        ignored_by: records that a rule handled without making a call, by rule; no rule matched the rest of `ignored`.
        rules: those whose `when` may match a record of the topic, as `file:line`.
        without_call: rules that made no call, one entry for each record, since the last call of `RuleUse.ignored`.
    """

    consumed: int = 0
    ignored: int = 0
    ignored_by: Counter[str] = field(default_factory=Counter)
    rules: tuple[str, ...] = ()
    without_call: list[str] = field(default_factory=list)

    @property
    def ignored_share(self) -> float:
        """From 0 to 1; 0 before the first record."""
        return self.ignored / self.consumed if self.consumed else 0.0


@dataclass(slots=True)
class RuleUse:
    """Counts by topic and by rule.

    A rule that topics share counts as one: it has matched as soon as it has matched a record of any of them.

    Attributes:
        topics: by name.
    """

    topics: dict[str, TopicUse] = field(default_factory=dict)
    _unmatched: set[str] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)
    _reported: set[str] = field(default_factory=set)

    def topic(self, name: str) -> TopicUse:
        """The counts of a topic."""
        return self.topics.setdefault(name, TopicUse())

    def know(self, topic: str, rules: Iterable[str]) -> Callable[[str], None]:
        """Expect matches of these rules of a topic. Returns what is called with a rule that made no call of a record.

        That happens while records are mapped, so it only notes the rule; `ignored` counts what was noted.
        """
        use = self.topic(topic)
        use.rules = tuple(rules)
        self._unmatched.update(set(use.rules) - self._known)
        self._known.update(use.rules)
        return use.without_call.append

    def ignored(self, topic: str, n: int) -> None:
        """The mapping ignored `n` records of the topic."""
        use = self.topic(topic)
        use.ignored += n
        if use.without_call:
            use.ignored_by.update(use.without_call)
            self._unmatched.difference_update(use.without_call)
            use.without_call.clear()

    def interrupted(self, topic: str) -> None:
        """Mapping records of the topic was interrupted: they are mapped again, and then counted."""
        self.topic(topic).without_call.clear()

    def awaits(self) -> bool:
        """Whether a rule has matched nothing yet: only then need matches be counted."""
        return bool(self._unmatched)

    def matched(self, rules: Iterable[str | None]) -> None:
        """These rules have matched a record."""
        self._unmatched.difference_update(rules)

    def unmatched(self) -> Iterator[tuple[str, str]]:
        """The rules that have matched nothing though a topic of theirs had enough records, each with that topic."""
        for topic, use in self.topics.items():
            if use.consumed >= ENOUGH_RECORDS:
                for rule in use.rules:
                    if rule in self._unmatched:
                        yield topic, rule

    def newly_unmatched(self, topic: str) -> list[str]:
        """Those of a topic that were not returned before."""
        if self.topic(topic).consumed < ENOUGH_RECORDS:
            return []
        new = [rule for rule in self.topics[topic].rules if rule in self._unmatched - self._reported]
        self._reported.update(new)
        return new
