"""Configurations with which a worker cannot reach a Kafka that asks who it is, each wrong in one way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.secure_kafka import PASSWORD, USER, SecureKafka

TOKENS = """\
import time

from tests.support.certificates import unsecured_token

def unsigned():
    return unsecured_token("worker"), time.time() + 3600

def broken():
    raise ValueError("s3cret")
"""

MAPPING = """\
topics: [{topic}]
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
"""

NOWHERE = "127.0.0.1:1"
"""Nothing listens there."""


@dataclass
class Wrong:
    """One configuration.

    Attributes:
        servers: the name of a listener, or an address.
        properties: `kafka.properties`.
        kafka: other keys of `kafka`.
        topic: that the mapping reads.
    """

    servers: str
    properties: dict[str, Any] = field(default_factory=dict)
    kafka: dict[str, Any] = field(default_factory=dict)
    topic: str = "orders"

    def write(self, folder: Path, cluster: SecureKafka, api: str) -> None:
        """Write the configuration files."""
        (folder / "config" / "mappings").mkdir(parents=True)
        (folder / "config" / "mappings" / "orders.yaml").write_text(MAPPING.format(topic=self.topic))
        (folder / "config" / "tokens.py").write_text(TOKENS)
        servers = cluster.servers.get(self.servers, self.servers)
        kafka = {"bootstrap_servers": servers, "properties": self.properties, **self.kafka}
        settings = {"kafka": kafka, "pipelines": {"url": api}, "mapper_path": ["config"]}
        # JSON is YAML; one key a line, so that a problem's line tells the key.
        (folder / "config" / "worker.yaml").write_text(json.dumps(settings, indent=1))


def wrong_configurations(cluster: SecureKafka) -> dict[str, Wrong]:
    """Each by what is wrong with it. Topics `orders` and `customerio.dead-letters` exist, `forbidden` is hidden."""
    ca = {"ssl.ca.location": str(cluster.ca)}
    tls = {"security.protocol": "SSL", **ca}
    user = {"sasl.username": USER, "sasl.password": PASSWORD}
    wrong_password = {**user, "sasl.password": "wrong"}
    scram = {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", **ca}
    plain = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", **ca}
    oidc = {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "worker", "sasl.oauthbearer.client.secret": "s3cret",
        "sasl.oauthbearer.token.endpoint.url": f"http://{NOWHERE}/token", **ca,
    }  # fmt: skip
    key, certificate, authority = map(str, cluster.stranger)
    stranger = {"ssl.key.location": key, "ssl.certificate.location": certificate}
    return {
        "nothing listens at the address": Wrong(NOWHERE),
        "the host name does not exist": Wrong("nobody.invalid:9092"),
        "no TLS at a listener with TLS": Wrong("TLS"),
        "no login at a listener with one": Wrong("PASSWORD"),
        "a login without TLS at a listener with TLS": Wrong(
            "LOGIN", {**scram, **user, "security.protocol": "SASL_PLAINTEXT"}
        ),
        "TLS at a listener without TLS": Wrong(cluster.bootstrap_servers, tls),
        "a login at a listener without one": Wrong(
            cluster.bootstrap_servers, {**plain, **user, "security.protocol": "SASL_PLAINTEXT"}
        ),
        "a wrong password (PLAIN)": Wrong("LOGIN", {**plain, **wrong_password}),
        "a wrong password (SCRAM)": Wrong("LOGIN", {**scram, **wrong_password}),
        "an unknown user (SCRAM)": Wrong("LOGIN", {**scram, **user, "sasl.username": "nobody"}),
        "a mechanism that the listener does not have": Wrong("TOKEN", {**plain, **user}),
        "the broker's authority is not trusted": Wrong("TLS", {"security.protocol": "SSL"}),
        "another authority is trusted": Wrong("TLS", {**tls, "ssl.ca.location": authority}),
        "the broker's certificate is for another host": Wrong("OTHERHOST", tls),
        "the broker's certificate has expired": Wrong("EXPIRED", tls),
        "no client certificate where one is needed": Wrong("MUTUAL", tls),
        "a client certificate of another authority": Wrong("MUTUAL", {**tls, **stranger}),
        "a token that the broker refuses": Wrong(
            "SIGNED", ca, {"auth": {"type": "token", "provider": "tokens:unsigned"}}
        ),
        "a provider of tokens that fails": Wrong(
            "TOKEN", ca, {"auth": {"type": "token", "provider": "tokens:broken"}}
        ),
        "a token endpoint that does not respond": Wrong("TOKEN", oidc),
        "no right to read the topic": Wrong("LOGIN", {**scram, **user}, topic="forbidden"),
        "no right to read the topic, but one to see it": Wrong(
            "LOGIN", {**scram, **user}, topic="unreadable"
        ),
        "no right to join the group": Wrong("LOGIN", {**scram, **user}, {"group_id": "unreadable"}),
        "no right to the group": Wrong("LOGIN", {**scram, **user}, {"group_id": "forbidden"}),
        "a topic that does not exist": Wrong("LOGIN", {**scram, **user}, topic="orderz"),
        "a dead-letter topic that does not exist": Wrong(
            "LOGIN", {**scram, **user}, {"dead_letter_topic": "no-letters"}
        ),
        "a mechanism in lower case": Wrong("LOGIN", {**scram, **user, "sasl.mechanism": "scram-sha-512"}),
        "an authority's file that does not exist": Wrong("TLS", {**tls, "ssl.ca.location": "/no/ca.pem"}),
        "a password's file that does not exist": Wrong(
            "LOGIN", {**scram, **user, "sasl.password": {"file": "/no/password"}}
        ),
        "a Python callback": Wrong("TOKEN", {**ca, "oauth_cb": "tokens:unsigned"}),
        "kafka.auth beside a user": Wrong(
            "TOKEN", {**ca, **user}, {"auth": {"type": "token", "provider": "tokens:unsigned"}}
        ),
    }
