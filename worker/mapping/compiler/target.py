"""What the records of one topic are converted for, and which part of that its generated code depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from worker.core.message_id import MessageIds
from worker.customerio.limits import MAX_CALL_BYTES
from worker.customerio.notices import OnNotice
from worker.customerio.profile_limits import refuse_excess
from worker.mapping.future_times import FutureTimes

Profile = Literal["warn", "reject", "off"]
"""What happens to a call beyond the limits of the Track API (`limits.profile`)."""


OnSlow = Callable[[str, float], None]
"""Called when a mapper took over a second, with its name and the seconds."""


class Options(NamedTuple):
    """What the code of a mapping file is generated for: limits of a `Target`, and whether it has each of the others."""

    max_call_bytes: int
    batch_contexts: bool
    future: bool
    on_excess: bool
    on_notice: bool
    on_no_call: bool
    on_ignored: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What the records of one topic are converted for.

    Attributes:
        topic: whose records are converted.
        ids: makes the message ids.
        max_call_bytes: the largest call.
        batch_contexts: whether a call comes with its batch context (`batch.context: partition`).
        future: replaces times that are too far ahead of their record's (`limits.future`); None where none is.
        profile: see `Profile`.
        on_notice: called for what is sent although it may not have the effect that was meant.
        on_slow: see `OnSlow`.
        on_no_call: called when a record matched a rule that made no call of it, with the rule as `file:line`.
        on_ignored: called for a record that no rule sees, with the word for it, such as `snapshot`.
    """

    topic: str
    ids: MessageIds
    max_call_bytes: int = MAX_CALL_BYTES
    batch_contexts: bool = True
    future: FutureTimes | None = None
    profile: Profile = "off"
    on_notice: OnNotice | None = None
    on_slow: OnSlow | None = None
    on_no_call: Callable[[str], object] | None = None
    on_ignored: Callable[[str], object] | None = None

    @property
    def on_excess(self) -> Callable[..., object] | None:
        """What is called with the `Notice` and the rule of a call beyond a limit; None if nothing is to happen."""
        if self.profile == "off":
            return None
        return refuse_excess if self.profile == "reject" else self.on_notice

    @property
    def options(self) -> Options:
        """What its code depends on: topics with equal options can share it."""
        others = (self.future, self.on_excess, self.on_notice, self.on_no_call, self.on_ignored)
        return Options(self.max_call_bytes, self.batch_contexts, *(each is not None for each in others))


LATEST_TIME = attrgetter("future.bound")
WITHIN_TIME = attrgetter("future.within")
ON_EXCESS = attrgetter("on_excess")
ON_NOTICE = attrgetter("on_notice")
ON_SLOW = attrgetter("on_slow")
ON_NO_CALL = attrgetter("on_no_call")
ON_IGNORED = attrgetter("on_ignored")
"""What generated functions have of their `Target`; see `PythonSource.own`."""
