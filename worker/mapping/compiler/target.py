"""What the records of one topic are converted for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worker.core.message_id import MessageIds
from worker.customerio.limits import MAX_CALL_BYTES
from worker.customerio.notices import OnNotice
from worker.customerio.profile_limits import refuse_excess
from worker.mapping.future_times import FutureTimes

Profile = Literal["warn", "reject", "off"]
"""What happens to a call beyond the limits of the Track API (`limits.profile`)."""


OnSlow = Callable[[str, float], None]
"""Called when a mapper took over a second, with its name and the seconds."""


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
