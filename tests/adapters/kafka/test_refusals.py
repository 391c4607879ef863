"""What librdkafka refuses is a problem with the property's name, a reason, and no value."""

from __future__ import annotations

from typing import Any

import pytest

from worker.adapters.kafka.property_checks import property_problems
from worker.settings import Kafka, Settings

SECRET = "s3cret"
SASL = {"security.protocol": "SASL_SSL", "sasl.username": "me", "sasl.password": SECRET}


def found(properties: dict[str, str], **kafka: Any) -> list[str]:
    return [str(each) for each in property_problems(Settings(kafka=Kafka(properties=properties, **kafka)))]


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"aws_iam": SECRET}, "aws_iam: librdkafka has no such property (set kafka.auth: {type: aws_msk_iam"),
        (
            {"sasl.jaas.config": SECRET},
            "sasl.jaas.config: librdkafka has no such property (it is the Java client's",
        ),
        ({"sasl.login.callback.handler.class": "a.b.C"}, "for tokens set kafka.auth"),
        ({"ssl.truststore.location": "/x.jks"}, "librdkafka reads PEM files: set ssl.ca.location"),
        ({"ssl.truststore.password": SECRET}, "librdkafka reads PEM files: set ssl.ca.location"),
        ({"interceptors": "x"}, "interceptors: is not for configuration files (for tokens set kafka.auth)"),
        ({"security.protocol": ""}, "security.protocol: must not be empty"),
        (
            {"security.protocol": "SASL_SSL"},
            "security.protocol: the client cannot log in with GSSAPI, which is",
        ),
        ({**SASL, "sasl.mechanism": "GSSAPI"}, "sasl.mechanism: the client cannot log in with GSSAPI"),
        ({**SASL, "sasl.mechanism": "scram-sha-512"}, "sasl.mechanism: librdkafka has no such mechanism"),
        ({**SASL, "sasl.mechanisms": "SCRAM-SHA-1024"}, "sasl.mechanisms: librdkafka has no such mechanism"),
        ({"security.protocol": "SSL", "ssl.ca.location": "/no/ca.pem"}, "ssl.ca.location: no such file"),
        ({"security.protocol": "SSL", "ssl.ca.location": __file__}, "cannot read this certificate or key"),
        ({"security.protocol": "SSL", "ssl.ca.pem": SECRET}, "ssl.ca.pem: librdkafka cannot read this"),
        ({"security.protocol": "SSL", "ssl.key.location": "/no/key.pem"}, "ssl.key.location: no such file"),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": SECRET},
            "sasl.username: librdkafka does not accept this combination: sasl.username and sasl.password must be",
        ),
        (
            {"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"},
            "sasl.mechanism: nothing makes tokens (set kafka.auth, or sasl.oauthbearer.method: oidc)",
        ),
        (
            {
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "OAUTHBEARER",
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.metadata.authentication.type": "aws_iam",
            },
            "metadata.authentication.type: the Python client does not accept this (for tokens set kafka.auth)",
        ),
    ],
)
def test_a_refusal_names_the_property_and_what_to_do(properties: dict[str, str], said: str) -> None:
    problems = found(properties)
    assert len(problems) == 1, problems
    assert problems[0].startswith("kafka.properties.")
    assert said in problems[0]
    assert SECRET not in problems[0]


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        (
            {"sasl.mechanism": "PLAIN"},
            "sasl.mechanism: set to `PLAIN` but `security.protocol` is not configured",
        ),
        ({"sasl.username": SECRET}, "sasl.username: only applies when `sasl.mechanism` is set"),
        ({"topic.metadata.refresh.fast.cnt": "3"}, "is deprecated"),
    ],
)
def test_what_librdkafka_warns_of_is_a_warning_with_its_place(properties: dict[str, str], said: str) -> None:
    (problem,) = found(properties)
    assert problem.startswith("warning: kafka.properties.")
    assert said in problem
    assert SECRET not in problem


def test_kafka_auth_needs_no_further_properties() -> None:
    auth = {"type": "token", "provider": "a:b"}
    assert found({}, auth=auth) == []
    assert found({"ssl.ca.location": "/no/ca.pem"}, auth=auth)[0].startswith(
        "kafka.properties.ssl.ca.location:"
    )
