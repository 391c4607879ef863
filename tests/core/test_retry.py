"""What responses mean, and when requests are retried."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.retry import (
    Action,
    CircuitBreaker,
    ResponseClass,
    RetryPolicy,
    RetryState,
    backoff,
    classify,
    decide,
)

FOR_EVER = RetryPolicy(give_up_after=None, give_up_alone_after=900.0)


def outcome(status: int, calls: int, *, json: bool = True, again_while_others_pass: bool = False) -> Action:
    """What becomes of a batch that is answered so for the first time, or again while others pass."""
    breaker, state = CircuitBreaker(0.2, 30.0), RetryState()
    kind = classify(status, json=json)
    now = 0.0
    if again_while_others_pass:
        state.failed(kind, now, breaker)
        now = 10.0
        breaker.succeeded(5.0)
    if kind is not ResponseClass.ACCEPTED:
        state.failed(kind, now, breaker)
    return decide(kind, calls, state, now, FOR_EVER)


# The table of contract.md section 4

RETRIED = {0, 408, 425, 429, *range(500, 600)}
BAD_CALLS = {400, 413, 422}
DELIVERED = set(range(200, 300))


@pytest.mark.parametrize("status", range(600))
def test_each_status_is_handled_as_the_table_says(status: int) -> None:
    several, alone = outcome(status, 2), outcome(status, 1)
    if status in DELIVERED:
        assert several is alone is Action.DELIVERED
    elif status in RETRIED:
        assert several is alone is Action.RETRY
    elif status in BAD_CALLS:
        assert (several, alone) == (Action.SPLIT, Action.DEAD_LETTER)
    else:
        assert several is alone is Action.HOLD


@pytest.mark.parametrize("status", sorted(DELIVERED))
def test_a_2xx_that_is_not_json_did_not_come_from_the_api(status: int) -> None:
    assert outcome(status, 2, json=False) is Action.HOLD


@pytest.mark.parametrize("status", [403, 404, 301, 402, 418, 100, 451])
def test_the_same_response_again_while_others_pass_is_treated_like_400(status: int) -> None:
    assert outcome(status, 2, again_while_others_pass=True) is Action.SPLIT
    assert outcome(status, 1, again_while_others_pass=True) is Action.DEAD_LETTER


def test_a_wrong_key_is_never_attributed_to_a_call() -> None:
    assert outcome(401, 2, again_while_others_pass=True) is Action.HOLD
    assert outcome(401, 1, again_while_others_pass=True) is Action.HOLD


# Evidence


class Batch:
    """A batch that fails again and again in a world of which the breaker tells."""

    def __init__(self, policy: RetryPolicy = FOR_EVER) -> None:
        self.breaker = CircuitBreaker(0.2, 30.0)
        self.state = RetryState()
        self.policy = policy

    def fails(self, now: float, status: int = 500, calls: int = 1) -> Action:
        self.state.sent_at = now - 0.1
        kind = classify(status, json=True)
        self.state.failed(kind, now, self.breaker)
        action = decide(kind, calls, self.state, now, self.policy)
        if action is Action.HOLD:
            self.breaker.hold_delivery("UNAUTHORIZED", now)
        return action


def test_a_batch_with_5xx_is_split_at_its_third_failure_if_others_pass() -> None:
    batch = Batch()
    assert batch.fails(0, calls=8) is Action.RETRY
    batch.breaker.succeeded(1)
    assert batch.fails(2, calls=8) is Action.RETRY
    assert batch.fails(3, calls=8) is Action.SPLIT


def test_an_outage_dead_letters_nothing() -> None:
    batch = Batch()
    assert all(batch.fails(now) is Action.RETRY for now in range(0, 100_000, 30))


def test_a_batch_with_5xx_is_split_at_its_eighth_failure_even_if_no_other_passes() -> None:
    """No other batch may be able to pass until this one is out of the way."""
    batch = Batch()
    assert [batch.fails(now, calls=2) for now in range(8)] == [Action.RETRY] * 7 + [Action.SPLIT]


def test_a_success_before_the_first_failure_is_no_evidence_against_the_batch() -> None:
    batch = Batch()
    batch.fails(10)
    batch.breaker.succeeded(9.9)
    assert batch.fails(11) is Action.RETRY
    assert batch.state.suspected_since is None


def test_give_up_alone_after_counts_from_the_first_time_that_others_passed() -> None:
    batch = Batch()
    batch.fails(0)
    batch.fails(5000)  # an outage: no batch passes
    batch.breaker.succeeded(5001)
    assert batch.fails(5002) is Action.RETRY
    assert batch.fails(5901) is Action.RETRY
    assert batch.fails(5902) is Action.DEAD_LETTER


def test_a_batch_stays_suspected_when_no_other_batch_is_left_to_send() -> None:
    batch = Batch()
    batch.fails(0)
    batch.breaker.succeeded(1)
    assert batch.fails(2) is Action.RETRY
    assert all(batch.fails(now) is Action.RETRY for now in range(3, 902))
    assert batch.fails(902) is Action.DEAD_LETTER


def test_a_batch_is_no_longer_suspected_once_others_fail_too() -> None:
    batch = Batch()
    batch.fails(0)
    batch.breaker.succeeded(1)
    batch.fails(2)
    other = RetryState(sent_at=3)
    other.failed(ResponseClass.SERVER_ERROR, 3.5, batch.breaker)
    batch.breaker.last_success = -math.inf  # whatever passed before
    batch.breaker.failed(ResponseClass.SERVER_ERROR, other, 3.5, jitter=0.5)
    assert batch.fails(5000) is Action.RETRY
    assert batch.state.suspected_since is None


def test_no_response_and_429_are_never_attributed_to_a_call() -> None:
    for status in (0, 408, 425, 429):
        batch = Batch()
        for now in range(0, 10_000, 10):
            assert batch.fails(now, status) is Action.RETRY
            batch.breaker.succeeded(now + 1)


def test_5xx_before_a_hold_does_not_make_the_hold_a_calls_fault() -> None:
    batch = Batch()
    batch.fails(0, 500)
    batch.breaker.succeeded(1)
    assert batch.fails(2, 403) is Action.HOLD


def test_a_hold_after_one_call_failed_with_403_does_not_dead_letter_its_neighbour() -> None:
    batch = Batch()
    batch.fails(0, 403, calls=2)
    batch.breaker.succeeded(1)
    assert batch.fails(2, 403, calls=2) is Action.SPLIT
    first, second = batch.state.half(), batch.state.half()
    batch.breaker.succeeded(3)
    batch.state = first
    assert batch.fails(4, 403) is Action.DEAD_LETTER
    batch.state = second  # now all are answered so
    assert batch.fails(5, 403) is Action.HOLD


@pytest.mark.parametrize("status", [0, 429, 500])
def test_calls_that_still_fail_after_give_up_after_are_dead_lettered(status: int) -> None:
    batch = Batch(RetryPolicy(give_up_after=60.0, give_up_alone_after=900.0))
    assert batch.fails(0, status, calls=8) is Action.RETRY
    assert batch.fails(59.9, status, calls=8) is Action.RETRY
    batch.state = batch.state.half()
    assert batch.fails(60, status, calls=4) is Action.DEAD_LETTER


@pytest.mark.parametrize("status", [401, 403, 302])
def test_give_up_after_never_counts_a_hold(status: int) -> None:
    batch = Batch(RetryPolicy(give_up_after=60.0, give_up_alone_after=900.0))
    batch.fails(0)
    for now in range(10, 10_000, 30):
        assert batch.fails(now, status) is Action.HOLD
    assert batch.fails(10_000) is Action.RETRY
    assert batch.fails(10_059) is Action.RETRY
    assert batch.fails(10_060) is Action.DEAD_LETTER


def test_a_half_keeps_when_its_batch_failed_but_counts_failures_from_zero() -> None:
    batch = Batch()
    batch.fails(0, 403, calls=2)
    batch.breaker.succeeded(1)
    assert batch.fails(2, 403, calls=2) is Action.SPLIT
    batch.state = batch.state.half()
    assert batch.state.failures == 0
    assert batch.fails(3, 403) is Action.HOLD
    batch.breaker.succeeded(4)
    assert batch.fails(5, 403) is Action.DEAD_LETTER


# The breaker


@given(st.integers(1, 5000), st.floats(0, 1, exclude_max=True), st.floats(0.01, 10), st.floats(1, 100))
def test_a_backoff_is_drawn_from_the_whole_of_its_range(
    failures: int, chance: float, initial: float, factor: float
) -> None:
    most = min(initial * factor, initial * 2.0 ** min(failures - 1, 1000))
    assert backoff(failures, chance, initial, initial * factor) == pytest.approx(chance * most)


def fail(
    breaker: CircuitBreaker, sent_at: float, now: float, kind: ResponseClass = ResponseClass.SERVER_ERROR
) -> float:
    state = RetryState(sent_at=sent_at)
    state.failed(kind, now, breaker)
    return breaker.failed(kind, state, now, jitter=0.5)


def test_all_requests_back_off_together() -> None:
    """Those that were under way when the first failed are the same failure."""
    breaker = CircuitBreaker(1.0, 30.0)
    first = fail(breaker, sent_at=0.0, now=10.0)
    assert first == 10.5
    assert [fail(breaker, sent_at=9.9, now=now) for now in (10.1, 10.2, 10.3)] == [first] * 3
    assert breaker.next_request_at == first
    assert fail(breaker, sent_at=10.5, now=11.0) == 12.0
    assert fail(breaker, sent_at=12.0, now=13.0) == 15.0


def test_a_request_that_passes_closes_the_breaker_for_all() -> None:
    breaker = CircuitBreaker(1.0, 30.0)
    fail(breaker, 0.0, 1.0)
    fail(breaker, 2.0, 3.0)
    breaker.succeeded(4.0)
    assert not breaker.is_open
    assert breaker.next_request_at <= 4.0
    assert fail(breaker, 4.5, 5.0) == 5.5


def test_retry_after_is_a_floor_even_while_requests_pass() -> None:
    breaker = CircuitBreaker(1.0, 30.0)
    breaker.wait_for(60.0, now=10.0)
    breaker.wait_for(5.0, now=20.0)
    breaker.succeeded(30.0)
    assert breaker.next_request_at == 70.0
    fail(breaker, 30.0, 69.9)
    assert breaker.next_request_at == pytest.approx(70.4)


def test_a_batch_that_fails_alone_does_not_open_the_breaker() -> None:
    breaker = CircuitBreaker(1.0, 30.0)
    state = RetryState(sent_at=0.0)
    breaker.succeeded(1.0)
    state.failed(ResponseClass.SERVER_ERROR, 2.0, breaker)
    assert breaker.failed(ResponseClass.SERVER_ERROR, state, 2.0, jitter=0.5) == 2.5
    assert not breaker.is_open


def test_429_and_a_hold_open_the_breaker_even_for_a_batch_that_fails_alone() -> None:
    for kind in (ResponseClass.THROTTLED, ResponseClass.UNAUTHORIZED, ResponseClass.UNEXPECTED):
        breaker = CircuitBreaker(1.0, 30.0)
        breaker.succeeded(1.0)
        fail(breaker, 0.0, 2.0, kind)
        assert breaker.is_open


def test_a_hold_ends_with_the_first_request_that_passes() -> None:
    breaker = CircuitBreaker(1.0, 30.0)
    fail(breaker, 0.0, 1.0, ResponseClass.UNAUTHORIZED)
    breaker.hold_delivery("UNAUTHORIZED", 1.0)
    fail(breaker, 2.0, 3.0, ResponseClass.SERVER_ERROR)
    assert breaker.hold == "UNAUTHORIZED"
    breaker.succeeded(4.0)
    assert breaker.hold is None
