"""Providers of tokens for Kafka: when they are called, and what their failures become."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from worker.adapters.kafka.clients import make_admin, make_consumer, make_producer
from worker.adapters.kafka.tokens import TokenError, TokenSource, checked

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("returned", "token"),
    [
        (("t", NOW + 60), ("t", NOW + 60, "", {})),
        (["t", int(NOW) + 60], ("t", NOW + 60, "", {})),
        (
            ("t", NOW + 60, "me", {"logicalCluster": "lkc-1"}),
            ("t", NOW + 60, "me", {"logicalCluster": "lkc-1"}),
        ),
        (("t", NOW + 60, None, None), ("t", NOW + 60, "", {})),
    ],
)
def test_what_a_provider_may_return(returned: Any, token: tuple[Any, ...]) -> None:
    assert checked(returned, NOW) == token


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "must return (token, expires_at)"),
        ("token", "must return (token, expires_at)"),
        (("t", NOW + 60, "me"), "must return (token, expires_at)"),
        ((b"t", NOW + 60), "token must be text"),
        (("", NOW + 60), "token must be text"),
        (("t", "soon"), "expires_at must be a number"),
        (("t", NOW), "has expired"),
        (("t", (NOW + 60) * 1000), "not in milliseconds"),
        (("t", NOW + 60, 5, {}), "principal must be text"),
        (("t", NOW + 60, "me", {"a": 5}), "extensions must be a dict of texts"),
    ],
)
def test_anything_else_is_an_error_that_does_not_quote_it(returned: Any, said: str) -> None:
    with pytest.raises(TokenError) as raised:
        checked(returned, NOW)
    assert said in str(raised.value)


def test_clients_share_a_token_while_it_is_fresh() -> None:
    calls: list[str] = []

    def provider() -> tuple[str, float]:
        calls.append(threading.current_thread().name)
        return f"token-{len(calls)}", time.time() + 3600

    source = TokenSource("tokens:get", provider)
    source.require()
    assert [source()[0], source("config")[0]] == ["token-1", "token-1"]
    assert calls == ["kafka-token"]
    source._reused_until = 0  # half of its life is over
    assert source()[0] == "token-2"


def test_a_provider_that_raises_makes_no_client_and_is_not_called_again_at_once() -> None:
    calls: list[None] = []

    def provider() -> tuple[str, float]:
        calls.append(None)
        raise ValueError("s3cret")

    source = TokenSource("tokens:get", provider)
    properties = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "oauth_cb": source}
    for make in (make_consumer, make_producer, make_admin):
        with pytest.raises(KafkaException) as raised:
            make(properties)
        error = raised.value.args[0]
        assert error.code() == KafkaError._AUTHENTICATION
        assert error.str().startswith("kafka.auth: tokens:get raised ValueError at ")
        assert "s3cret" not in error.str()
    assert len(calls) == 1


def test_a_provider_that_does_not_return_is_waited_for_but_called_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[None] = []
    returns = threading.Event()

    def provider() -> tuple[str, float]:
        calls.append(None)
        returns.wait()
        return "token", time.time() + 3600

    monkeypatch.setattr("worker.adapters.kafka.tokens.REQUIRE_SECONDS", 0.01)
    source = TokenSource("tokens:get", provider)
    for _ in range(3):
        with pytest.raises(KafkaException, match="has not returned a token after"):
            source.require()
    returns.set()
    assert source()[0] == "token"
    assert len(calls) == 1
