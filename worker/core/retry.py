"""What a response means, what to do about it, and when requests go out while the API fails.

`classify` and `decide` are total over the statuses 0 (no response) to 599. docs/guarantees.md has the same table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

SUSPICIOUS_FAILURES = 3
"""A batch that failed this often while others passed is suspected to be the cause. One or two failures also happen
when a server behind the API restarts."""

STUBBORN_FAILURES = 8
"""A batch that failed this often is split even if no other passed, because it may be the reason why none does. With the
default back-off this takes about 20 seconds. In an outage it costs little: only one request at a time is sent."""


class ResponseClass(Enum):
    """What an HTTP status says."""

    ACCEPTED = auto()
    NO_RESPONSE = auto()  # refused, reset, truncated, timed out
    THROTTLED = auto()  # 408, 425, 429
    SERVER_ERROR = auto()  # 5xx
    BAD_REQUEST = auto()  # 400, 413, 422: a call in it is wrong
    UNAUTHORIZED = auto()  # 401: the API key is wrong; the calls are not the cause
    UNEXPECTED = auto()  # anything else: probably not sent by the API


class Action(Enum):
    """What to do with a batch."""

    DELIVERED = auto()
    RETRY = auto()
    SPLIT = auto()
    DEAD_LETTER = auto()
    HOLD = auto()


def classify(status: int, *, json: bool) -> ResponseClass:
    """What a status says; a 2xx whose body is neither empty nor JSON did not come from the API."""
    if status == 0:
        return ResponseClass.NO_RESPONSE
    if 200 <= status <= 299:
        return ResponseClass.ACCEPTED if json else ResponseClass.UNEXPECTED
    if status in {408, 425, 429}:
        return ResponseClass.THROTTLED
    if status >= 500:
        return ResponseClass.SERVER_ERROR
    if status in {400, 413, 422}:
        return ResponseClass.BAD_REQUEST
    return ResponseClass.UNAUTHORIZED if status == 401 else ResponseClass.UNEXPECTED


@dataclass(slots=True)
class RetryState:
    """The failures of one batch so far.

    Attributes:
        failures: of this batch as it is now; a split begins at 0 again, because half of it may pass.
        sent_at: when it was sent last.
        failed_at: when it, or the batch it was split from, last failed. Only a request that was *sent* after that
            proves by passing that the API works again; one that was already in flight does not.
        suspected_since: since when others pass where this one fails; None if that is not known. It stays set until
            others fail as well: when this batch is all that is left to send, no other passes and no other fails.
        unexpected_at: when it, or the batch it was split from, last got an unexpected response.
        unexpected_again: whether that was the second time, and others passed in between: then its calls are the cause,
            and not a proxy or a wrong URL in front of the API.
        overtaken: whether another request that was sent later than the last attempt passed before that failed.
        failing_since: when it, or the batch it was split from, first failed after the latest hold: time on hold does
            not count towards `give_up_after`.
    """

    failures: int = 0
    sent_at: float = 0.0
    failed_at: float = math.inf
    suspected_since: float | None = None
    unexpected_at: float = math.inf
    unexpected_again: bool = False
    overtaken: bool = False
    failing_since: float | None = None

    def failed(self, response: ResponseClass, now: float, breaker: CircuitBreaker) -> None:
        """Count a failed attempt; `breaker` says whether other requests passed or failed meanwhile."""
        if breaker.last_success > self.failed_at:
            self.suspected_since = now if self.suspected_since is None else self.suspected_since
        elif breaker.last_failure > self.failed_at:
            self.suspected_since = None
        if response is ResponseClass.UNEXPECTED:
            # Others count as passing only if they did so after the latest unexpected response of any batch.
            self.unexpected_again = breaker.last_success > max(self.unexpected_at, breaker.last_unexpected)
            self.unexpected_at = breaker.last_unexpected = now
        if self.failing_since is None or self.failing_since <= breaker.last_hold:
            self.failing_since = now
        self.overtaken = breaker.last_success > self.sent_at
        self.failed_at = now
        self.failures += 1

    def half(self) -> RetryState:
        """The state that a half of this batch begins with."""
        return RetryState(
            failed_at=self.failed_at,
            suspected_since=self.suspected_since,
            unexpected_at=self.unexpected_at,
            failing_since=self.failing_since,
        )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a failing batch is retried, in seconds.

    Attributes:
        give_up_after: any failure but a hold; None retries for ever.
        give_up_alone_after: a single call that gets 5xx while others pass.
    """

    give_up_after: float | None
    give_up_alone_after: float


def decide(response: ResponseClass, calls: int, state: RetryState, now: float, policy: RetryPolicy) -> Action:
    """What to do with a batch of `calls` that got this response, which `state.failed` has already counted."""
    isolate = Action.SPLIT if calls > 1 else Action.DEAD_LETTER
    match response:
        case ResponseClass.ACCEPTED:
            return Action.DELIVERED
        case ResponseClass.BAD_REQUEST:
            return isolate
        case ResponseClass.UNAUTHORIZED:
            return Action.HOLD
        case ResponseClass.UNEXPECTED:
            return isolate if state.unexpected_again else Action.HOLD
        case ResponseClass.NO_RESPONSE | ResponseClass.THROTTLED | ResponseClass.SERVER_ERROR:
            return _decide_transient(response, calls, state, now, policy)


def _decide_transient(
    response: ResponseClass, calls: int, state: RetryState, now: float, policy: RetryPolicy
) -> Action:
    failing_since = now if state.failing_since is None else state.failing_since
    if policy.give_up_after is not None and now - failing_since >= policy.give_up_after:
        return Action.DEAD_LETTER
    suspected_since = state.suspected_since
    enough = STUBBORN_FAILURES if suspected_since is None else SUSPICIOUS_FAILURES
    if response is not ResponseClass.SERVER_ERROR or state.failures < enough:
        return Action.RETRY
    if calls > 1:
        return Action.SPLIT
    alone_for = 0.0 if suspected_since is None else now - suspected_since
    return Action.DEAD_LETTER if alone_for >= policy.give_up_alone_after else Action.RETRY


def backoff(failures: int, jitter: float, initial: float, maximum: float) -> float:
    """Exponential with full jitter: from 0 to `initial`, twice that, ... at most `maximum` seconds.

    Args:
        failures: in a row, from 1.
        jitter: drawn evenly from [0, 1).
        initial: seconds.
        maximum: seconds.
    """
    # A float overflows at 1,024 doublings, which months of failing would reach.
    doublings = min(failures - 1, 62)
    return jitter * min(maximum, initial * 2.0**doublings)


class CircuitBreaker:
    """Decides whether requests may be sent, or only one probe at a time because the API fails.

    Closed: requests are sent without restriction. Open: none is sent until `probe_at`. From then on it is half-open:
    one request at a time is sent, and the first that passes closes the breaker.

    All requests share one back-off: those that were in flight when the breaker opened count as the same failure.

    Attributes:
        is_open: the API failed, and no request has passed since. True also while half-open.
        probe_at: when the next probe may go out.
        not_before: no request at all goes out before this (`Retry-After`).
        last_success: when the latest request that passed was *sent*.
        last_failure: when a request last failed that did not fail alone (see `failed`).
        last_unexpected: when any batch last got an unexpected response.
        last_hold: when delivery was last found to be on hold.
        hold: why delivery is on hold, None if it is not. A hold ends with the first request that passes.
    """

    def __init__(self, initial: float, maximum: float) -> None:
        self._initial = initial
        self._maximum = maximum
        self._failures = 0
        self._opened_at = 0.0
        self.is_open = False
        self.probe_at = 0.0
        self.not_before = 0.0
        self.last_success = -math.inf
        self.last_failure = -math.inf
        self.last_unexpected = -math.inf
        self.last_hold = -math.inf
        self.hold: str | None = None

    @property
    def next_request_at(self) -> float:
        """Before this no request may go out."""
        return max(self.not_before, self.probe_at) if self.is_open else self.not_before

    def succeeded(self, sent_at: float) -> None:
        """A request that was sent at `sent_at` was accepted."""
        self.last_success = max(self.last_success, sent_at)
        self._failures = 0
        self.is_open = False
        self.hold = None

    def failed(self, response: ResponseClass, state: RetryState, now: float, jitter: float) -> float:
        """A batch failed; returns when it may be tried again.

        That opens the breaker for all, unless the batch fails alone: others pass where it gets 5xx or no response.
        """
        alone = state.suspected_since is not None or state.overtaken
        if alone and response in {ResponseClass.SERVER_ERROR, ResponseClass.NO_RESPONSE}:
            return now + backoff(state.failures, jitter, self._initial, self._maximum)
        self.last_failure = now
        if not self.is_open or state.sent_at > self._opened_at:
            self._failures += 1
            self.is_open = True
            self._opened_at = now
            self.probe_at = now + backoff(self._failures, jitter, self._initial, self._maximum)
        return self.probe_at

    def hold_delivery(self, reason: str, now: float) -> None:
        """The response is not the records' fault: nothing is given up until a request passes."""
        self.hold = reason
        self.last_hold = now

    def wait_for(self, seconds: float, now: float) -> None:
        """The API asked all requests to wait."""
        self.not_before = max(self.not_before, now + seconds)
