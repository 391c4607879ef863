"""The client's own words about a connection: what stays, and what they mean."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from worker.adapters.kafka.client_errors import ClientErrors
from worker.adapters.kafka.inspection.broker_version import highest_versions, release
from worker.adapters.kafka.own_words import is_refused_login, own_words

AFTER = " (after 302ms in state AUTH_REQ)"
AFTER_MANY = " (after 0ms in state CONNECT, 30 identical error(s) suppressed)"
AFTER_CONNECTING = " (after 1ms in state APIVERSION_QUERY)"
TLS = "error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "sasl_ssl://b-1.example.com:9096/bootstrap: SASL authentication error: Authentication failed: no"
            + AFTER,
            "b-1.example.com:9096: SASL authentication error: Authentication failed: no",
        ),
        (
            "x:1/17: Connect to ipv4#127.0.0.1:1 failed: Connection refused" + AFTER_MANY,
            "x:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
        ),
        (
            f"ssl://[::1]:1/1: Receive failed: {TLS}",
            "[::1]:1: Receive failed: ssl/tls alert bad certificate: SSL alert number 42",
        ),
        (
            "x:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN"
            + AFTER_CONNECTING,
            "x:1: Disconnected: connection closed by peer: the listener may need TLS or a login (security.protocol)",
        ),
        ("2/2 brokers are down", "2/2 brokers are down"),
    ],
)
def test_what_differs_each_time_is_left_out(text: str, words: str) -> None:
    assert own_words(text) == words


def test_a_refused_certificate_is_a_refused_login_whatever_its_code() -> None:
    assert is_refused_login(KafkaError(KafkaError._TRANSPORT, f"x:1/1: Receive failed: {TLS}"))
    assert is_refused_login(KafkaError(KafkaError._SSL, "handshake failed"))
    assert not is_refused_login(KafkaError(KafkaError._TRANSPORT, "x:1/1: Connection refused"))


def test_a_refused_login_is_reported_instead_of_brokers_that_are_away() -> None:
    errors = ClientErrors()
    errors.client_logged("FAIL", "x:1/1: Connection refused (after 0ms in state CONNECT)")
    errors.report(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert errors.problems() == [
        {"reason": "KAFKA_UNREACHABLE", "detail": "no broker responds: x:1: Connection refused"}
    ]
    errors.report(KafkaError(KafkaError._AUTHENTICATION, "x:1/1: no (after 1ms in state AUTH_REQ)"))
    errors.report(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    assert errors.problems() == [{"reason": "KAFKA_AUTHENTICATION", "detail": "x:1: no"}]


@pytest.mark.parametrize(
    ("supported", "found"),
    [
        ({"Produce": 13, "Fetch": 18}, "4.1 or newer"),
        ({"Produce": 12, "Fetch": 17}, "4.0"),
        ({"Produce": 9, "Fetch": 13, "DescribeLogDirs": 4, "JoinGroup": 9}, "3.3 or 3.4"),
        ({"Produce": 7, "Fetch": 11}, "older than 2.8"),
        ({}, None),
    ],
)
def test_the_release_is_read_from_the_requests_that_a_broker_takes(
    supported: dict[str, int], found: str | None
) -> None:
    lines = [f"x:1/1:   ApiKey {name} (7) Versions 0..{version}" for name, version in supported.items()]
    assert highest_versions([*lines, "x:1/1: Broker API support:"]) == supported
    assert release(supported) == found
