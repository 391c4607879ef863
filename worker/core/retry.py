"""What an answer means, what is done about it, and when requests go out while the API fails.

`classify` and `decide` are total: every status from 0 (no answer) to 599 has its row in contract and code alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

SUSPICIOUS_ATTEMPTS = 3
"""A batch that failed so often while others passed is suspected to be the cause itself."""

STUBBORN_ATTEMPTS = 8
"""A batch that failed so often is split even if no other passed: it may hold back all that could.

In an outage that costs little, because then one request at a time is tried."""


class Answer(Enum):
    """What an HTTP status says."""

    ACCEPTED = auto()
    SILENT = auto()  # no whole answer: refused, reset, truncated, timed out
    BUSY = auto()  # 408, 425, 429
    BROKEN = auto()  # 5xx
    REFUSED = auto()  # 400, 413, 422: a call in it is wrong
    UNAUTHORIZED = auto()  # 401: the key is wrong, whatever the calls are
    MISDIRECTED = auto()  # anything else: this is not the API, or not for us


class Action(Enum):
    """What to do with a batch."""

    DELIVERED = auto()
    RETRY = auto()
    SPLIT = auto()
    DEAD_LETTER = auto()
    HOLD = auto()


def classify(status: int, *, json: bool) -> Answer:
    """What a status says; a 2xx whose body is neither empty nor JSON did not come from the API."""
    if status == 0:
        return Answer.SILENT
    if 200 <= status <= 299:
        return Answer.ACCEPTED if json else Answer.MISDIRECTED
    if status in {408, 425, 429}:
        return Answer.BUSY
    if status >= 500:
        return Answer.BROKEN
    if status in {400, 413, 422}:
        return Answer.REFUSED
    return Answer.UNAUTHORIZED if status == 401 else Answer.MISDIRECTED


@dataclass(slots=True)
class Attempts:
    """What happened to a batch so far.

    Only a request that was sent after a failure proves by passing that the API works again: what was under way at
    the same time proves nothing. Once that is proven, a batch stays suspected until others fail as well: when it
    is all that is left to send, nobody passes and nobody fails.

    Attributes:
        count: failed attempts of this batch as it is now; a split begins again.
        sent_at: when it was sent last.
        failed_at: when it, or the batch it was split from, last failed.
        suspected_since: since when others pass where this one fails; None if that is not known.
        misdirected_at: when it, or the batch it was split from, was last answered as if this were not the API.
        misdirected_again: whether that was the second time, and others passed in between.
        overtaken: whether another request that was sent later than the last attempt has passed before it failed.
        failing_since: when it, or the batch it was split from, first failed after the latest hold.
    """

    count: int = 0
    sent_at: float = 0.0
    failed_at: float = math.inf
    suspected_since: float | None = None
    misdirected_at: float = math.inf
    misdirected_again: bool = False
    overtaken: bool = False
    failing_since: float | None = None

    def failed(self, answer: Answer, now: float, gate: Gate) -> None:
        """One more attempt failed; `gate` knows how others fared."""
        if gate.last_passed > self.failed_at:
            self.suspected_since = now if self.suspected_since is None else self.suspected_since
        elif gate.last_failed > self.failed_at:
            self.suspected_since = None
        if answer is Answer.MISDIRECTED:
            # Others pass only if they did so after anyone was last answered so.
            self.misdirected_again = gate.last_passed > max(self.misdirected_at, gate.last_misdirected)
            self.misdirected_at = gate.last_misdirected = now
        if self.failing_since is None or self.failing_since <= gate.last_held:
            self.failing_since = now
        self.overtaken = gate.last_passed > self.sent_at
        self.failed_at = now
        self.count += 1

    def half(self) -> Attempts:
        """Where a half of this batch begins."""
        return Attempts(
            failed_at=self.failed_at,
            suspected_since=self.suspected_since,
            misdirected_at=self.misdirected_at,
            failing_since=self.failing_since,
        )


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what fails is tried again, in seconds.

    Attributes:
        give_up_after: any failure but a hold; None is for ever.
        give_up_alone_after: a single call that the API answers with 5xx while others pass.
    """

    give_up_after: float | None
    give_up_alone_after: float


def decide(answer: Answer, calls: int, attempts: Attempts, now: float, patience: Patience) -> Action:
    """What to do with a batch of `calls` that was answered so; `attempts` have been told of it already."""
    apart = Action.SPLIT if calls > 1 else Action.DEAD_LETTER
    match answer:
        case Answer.ACCEPTED:
            return Action.DELIVERED
        case Answer.REFUSED:
            return apart
        case Answer.UNAUTHORIZED:
            return Action.HOLD
        case Answer.MISDIRECTED:
            return apart if attempts.misdirected_again else Action.HOLD
        case Answer.SILENT | Answer.BUSY | Answer.BROKEN:
            return _insist(answer, calls, attempts, now, patience)


def _insist(answer: Answer, calls: int, attempts: Attempts, now: float, patience: Patience) -> Action:
    failing_since = now if attempts.failing_since is None else attempts.failing_since
    if patience.give_up_after is not None and now - failing_since >= patience.give_up_after:
        return Action.DEAD_LETTER
    since = attempts.suspected_since
    enough = STUBBORN_ATTEMPTS if since is None else SUSPICIOUS_ATTEMPTS
    if answer is not Answer.BROKEN or attempts.count < enough:
        return Action.RETRY
    if calls > 1:
        return Action.SPLIT
    alone_for = 0.0 if since is None else now - since
    return Action.DEAD_LETTER if alone_for >= patience.give_up_alone_after else Action.RETRY


def backoff(failures: int, chance: float, initial: float, maximum: float) -> float:
    """Exponential with full jitter: from 0 to `initial`, twice that, ... at most `maximum` seconds.

    Args:
        failures: in a row, from 1.
        chance: drawn evenly from [0, 1).
        initial: seconds.
        maximum: seconds.
    """
    doublings = min(failures - 1, 62)  # a shift further would overflow a float after months of failing
    return chance * min(maximum, initial * 2.0**doublings)


class Gate:
    """When requests may go out: freely, or one probe at a time while the API fails.

    All requests back off together: those that were under way when the gate closed are the same failure.

    Attributes:
        closed: the API failed, and no request has passed since.
        open_at: when the next probe may go out.
        floor: before this nobody sends at all (`Retry-After`).
        last_passed: when the latest request that passed was sent.
        last_failed: when the latest failed that did not fail alone.
        last_misdirected: when any batch was last answered as if this were not the API.
        last_held: when delivery was last found to be on hold.
        hold: why delivery is on hold, None if it is not. A hold ends with the first request that passes.
    """

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial = initial
        self._maximum = maximum
        self._failures = 0
        self._closed_at = 0.0
        self.closed = False
        self.open_at = 0.0
        self.floor = 0.0
        self.last_passed = -math.inf
        self.last_failed = -math.inf
        self.last_misdirected = -math.inf
        self.last_held = -math.inf
        self.hold: str | None = None

    @property
    def opens_at(self) -> float:
        """Before this no request may go out."""
        return max(self.floor, self.open_at) if self.closed else self.floor

    def passed(self, sent_at: float) -> None:
        """A request that was sent at `sent_at` was accepted."""
        self.last_passed = max(self.last_passed, sent_at)
        self._failures = 0
        self.closed = False
        self.hold = None

    def failed(self, answer: Answer, attempts: Attempts, now: float, chance: float) -> float:
        """A batch failed; answers when it may be tried again.

        That closes the gate for all, unless the batch fails alone: others pass where it meets 5xx or silence.
        """
        alone = attempts.suspected_since is not None or attempts.overtaken
        if alone and answer in {Answer.BROKEN, Answer.SILENT}:
            return now + backoff(attempts.count, chance, self._initial, self._maximum)
        self.last_failed = now
        if not self.closed or attempts.sent_at > self._closed_at:
            self._failures += 1
            self.closed = True
            self._closed_at = now
            self.open_at = now + backoff(self._failures, chance, self._initial, self._maximum)
        return self.open_at

    def held(self, reason: str, now: float) -> None:
        """What was answered is no record's fault: nothing is given up until a request passes."""
        self.hold = reason
        self.last_held = now

    def wait_for(self, seconds: float, now: float) -> None:
        """The API asked everybody to wait."""
        self.floor = max(self.floor, now + seconds)
