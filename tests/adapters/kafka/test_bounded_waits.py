"""No wait for Kafka is unbounded."""

from __future__ import annotations

import ast
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from worker.adapters.kafka import topic_checks
from worker.adapters.kafka.clients import wait_for
from worker.settings import Kafka

ADAPTERS = Path(__file__).parents[3] / "worker" / "adapters"
BLOCKING = {
    "committed",
    "consume",
    "describe_configs",
    "describe_consumer_groups",
    "describe_topics",
    "flush",
    "get_watermark_offsets",
    "list_topics",
    "offsets_for_times",
    "poll",
}
"""Methods of confluent-kafka's clients that wait for ever, or for a minute, unless they are given a limit."""


def test_every_blocking_call_of_a_client_has_a_limit() -> None:
    unbounded = [
        f"{path.relative_to(ADAPTERS)}:{call.lineno}"
        for path in sorted([*ADAPTERS.glob("kafka/*.py"), *ADAPTERS.glob("dead_letter_topic/*.py")])
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in BLOCKING
        and not _is_bounded(call.func, call)
    ]
    assert unbounded == []


def test_a_response_that_never_comes_is_a_timeout() -> None:
    done: Future[None] = Future()
    done.set_result(None)
    wait_for([done], 0)
    with pytest.raises(KafkaException) as raised:
        wait_for([done, Future()], 0)
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


def test_a_check_of_the_dead_letter_topic_times_out_without_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topic_checks, "make_admin", lambda _: SilentAdmin())
    monkeypatch.setattr(topic_checks, "missing_topics", lambda *_: [])
    monkeypatch.setattr(topic_checks, "RESPONSE_SECONDS", 0.01)
    with pytest.raises(KafkaException) as raised:
        topic_checks.look_for_dead_letter_problems(Kafka(), ["orders"])
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


class SilentAdmin:
    """Has metadata, and never completes a response. The real client has a timeout of its own, which may be at fault."""

    controller_id = 1
    brokers = (1,)
    topics = ("orders",)

    def list_topics(self, **_: Any) -> SilentAdmin:
        return self

    def describe_configs(self, resources: list[Any], **_: Any) -> dict[Any, Future[None]]:
        return {each: Future() for each in resources}

    def poll(self, _: float) -> None:
        pass


def _is_bounded(function: ast.Attribute, call: ast.Call) -> bool:
    keywords = {each.arg for each in call.keywords}
    if keywords & {"timeout", "request_timeout", "cached"}:
        return True
    # `Assignment.committed()` asks no broker; `poll`, `consume` and `flush` take their limit as a position.
    own = isinstance(function.value, ast.Attribute) and function.value.attr == "assignment"
    return own or (function.attr in {"consume", "flush", "poll"} and bool(call.args))
