"""Every kind of login that `docs/connecting.md` shows works on a real Kafka, with the settings that it shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.support.connecting import MOUNTED, examples
from tests.support.kafka_client import KafkaClient
from tests.support.secure_kafka import PASSWORD, USER, SecureKafka
from tests.support.worker_process import API_KEY, ROOT, Site
from worker.emulator import Emulator

pytestmark = pytest.mark.kafka

LISTENERS = {
    "Where secrets come from": "LOGIN",
    "Confluent Cloud": "LOGIN",
    "Amazon MSK with SCRAM": "LOGIN",
    "Azure Event Hubs": "LOGIN",
    "Redpanda": "LOGIN",
    "Strimzi with mTLS": "MUTUAL",
    "Aiven": "LOGIN",
    "OpenID Connect": "SIGNED",
    "Tokens from a Python function": "SIGNED",
}
"""The listener of each section's settings. Those for MSK with IAM work with AWS only."""


@pytest.fixture
def mounted(tmp_path: Path, secure: SecureKafka) -> Path:
    """The folder that stands for `/run/secrets/`."""
    (tmp_path / "secrets" / "kafka").mkdir(parents=True)
    (tmp_path / "secrets" / "customerio").mkdir()
    key, certificate = secure.client
    for name, source in {"ca.crt": secure.ca, "user.crt": certificate, "user.key": key}.items():
        (tmp_path / "secrets" / "kafka" / name).write_bytes(source.read_bytes())
    for name, text in {
        "kafka/username": USER,
        "kafka/password": PASSWORD,
        "customerio/api-key": API_KEY,
    }.items():
        (tmp_path / "secrets" / name).write_text(f"{text}\n")
    return tmp_path / "secrets"


@pytest.fixture
def token_endpoint(secure: SecureKafka) -> Iterator[str]:
    """An identity provider's: it gives a signed token to a client that has its secret."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            login = base64.b64encode(f"customerio-pipelines:{PASSWORD}".encode()).decode()
            known = self.headers["Authorization"] == f"Basic {login}"
            token = {"access_token": secure.signer.token(USER), "token_type": "Bearer", "expires_in": 600}
            body = json.dumps(token if known else {"error": "invalid_client"}).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("title", LISTENERS)
async def test_the_settings_that_are_shown_deliver(
    title: str, tmp_path: Path, secure: SecureKafka, mounted: Path, token_endpoint: str, emulator: Emulator
) -> None:
    site = Site(tmp_path, KafkaClient(secure.bootstrap_servers), emulator)
    site.change("kafka", **here(title, secure, mounted, token_endpoint))
    site.change("pipelines", api_key={"file": str(mounted / "customerio" / "api-key")})
    site.change("kafka", bootstrap_servers=secure.servers[LISTENERS[title]])
    site.settings |= {"mapper_path": ["config"]}  # type: ignore[dict-item]  # all others are sections
    site.configure()
    provider = (
        f"import time\n\ndef kafka_token():\n    return {secure.signer.token(USER)!r}, time.time() + 600\n"
    )
    (tmp_path / "config" / "tokens.py").write_text(provider)
    site.produce(20)
    site.kafka.append(site.topic, 0, [b"{broken"])
    assert await site.run_job(KAFKA_USERNAME=USER, PYTHONPATH=f"{ROOT}:{tmp_path}") == 0, site.workers[
        0
    ].output
    site.ledger.check()
    assert len(site.ledger.dead_letters()) == 1
    assert all(secret not in site.workers[0].output for secret in (PASSWORD, API_KEY))


def here(title: str, secure: SecureKafka, mounted: Path, token_endpoint: str) -> dict[str, Any]:
    """`kafka` of a section's settings, with this machine's secrets and authority, and this test's token endpoint."""
    text = examples()[title].replace(MOUNTED, f"{mounted}/")
    settings: dict[str, Any] = json.loads(json.dumps(YAML(typ="safe", pure=True).load(text)))
    properties = settings["kafka"].setdefault("properties", {})
    properties["ssl.ca.location"] = str(secure.ca)
    if "sasl.oauthbearer.token.endpoint.url" in properties:
        properties["sasl.oauthbearer.token.endpoint.url"] = token_endpoint
    kafka: dict[str, Any] = settings["kafka"]
    return kafka
