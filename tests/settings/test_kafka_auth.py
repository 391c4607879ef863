"""`kafka.auth`, and what does not go with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.documents.problems import ConfigError, Problem
from worker.settings import Settings, load_settings

IAM = "{type: aws_msk_iam, region: eu-west-1}"
TOKEN = "{type: token, provider: 'tokens:get'}"


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "worker.yaml").write_text(text)
    return load_settings(folder / "worker.yaml", environ or {}, needs_key=False)


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(ConfigError) as raised:
        load(folder, text, environ)
    return raised.value.problems


def test_both_kinds_are_read(tmp_path: Path) -> None:
    iam = load(tmp_path, f"kafka: {{auth: {IAM}}}").kafka.auth
    token = load(tmp_path, f"kafka: {{auth: {TOKEN}}}").kafka.auth
    assert iam is not None
    assert token is not None
    assert (iam.type, iam.region, iam.provider) == ("aws_msk_iam", "eu-west-1", None)
    assert (token.type, token.region, token.provider) == ("token", None, "tokens:get")


def test_the_environment_takes_json(tmp_path: Path) -> None:
    given = {"WORKER__KAFKA__AUTH": '{"type": "token", "provider": "tokens:get"}'}
    auth = load(tmp_path, f"kafka: {{auth: {IAM}}}", given).kafka.auth
    assert auth is not None
    assert auth.provider == "tokens:get"
    for nothing in ("", "null"):
        assert load(tmp_path, f"kafka: {{auth: {IAM}}}", {"WORKER__KAFKA__AUTH": nothing}).kafka.auth is None
    (problem,) = problems(tmp_path, "", {"WORKER__KAFKA__AUTH": "aws_msk_iam"})
    assert (problem.file, problem.message) == ("WORKER__KAFKA__AUTH", "must be JSON")
    assert "aws_msk_iam" in str(problem.hint)


@pytest.mark.parametrize(
    ("auth", "message", "column"),
    [
        ("{type: aws_msk_iam}", "kafka.auth: aws_msk_iam needs the key region", 15),
        ("{type: token}", "kafka.auth: token needs the key provider", 15),
        ("{type: token, provider: 'a:b', region: x}", "kafka.auth.region: does not go with type: token", 54),
        ("{type: kerberos}", "kafka.auth.type: must be one of 'aws_msk_iam' or 'token'", 22),
        ("{type: token, provide: 'a:b'}", "kafka.auth.provide: unknown key", 29),
        ("token", "kafka.auth: must be a mapping of keys", 15),
    ],
)
def test_each_mistake_has_its_place(tmp_path: Path, auth: str, message: str, column: int) -> None:
    found = problems(tmp_path, f"kafka: {{ auth: {auth} }}")
    assert (found[0].message, found[0].line) == (message, 1)
    assert found[0].column == column + 1


@pytest.mark.parametrize("auth", [IAM, TOKEN])
def test_other_properties_of_sasl_are_problems_all_at_once(tmp_path: Path, auth: str) -> None:
    properties = "security.protocol: SSL, sasl.mechanism: PLAIN, sasl.username: me, ssl.ca.location: /ca.pem"
    found = problems(tmp_path, f"kafka: {{auth: {auth}, properties: {{{properties}}}}}")
    assert [each.message.partition(": ")[0] for each in found] == [
        "kafka.properties.security.protocol",
        "kafka.properties.sasl.mechanism",
        "kafka.properties.sasl.username",
    ]
    assert all(each.line == 1 and each.hint for each in found)


@pytest.mark.parametrize("protocol", ["SASL_SSL", "sasl_plaintext"])
def test_what_auth_sets_may_be_written(tmp_path: Path, protocol: str) -> None:
    properties = f"security.protocol: {protocol}, sasl.mechanisms: OAUTHBEARER"
    assert load(tmp_path, f"kafka: {{auth: {TOKEN}, properties: {{{properties}}}}}").kafka.auth


@pytest.mark.parametrize("host", ["customer.io", "cdp.customer.io", "cdp-eu.customer.io:80"])
def test_customer_io_is_never_spoken_to_in_clear(tmp_path: Path, host: str) -> None:
    (problem,) = problems(tmp_path, f"pipelines: {{url: 'http://{host}'}}")
    assert problem.message == "pipelines.url: http sends the key and all calls to Customer.io unencrypted"
    assert not problem.warning
    assert load(tmp_path, f"pipelines: {{url: 'https://{host}'}}").warnings == ()
    assert load(tmp_path, "pipelines: {url: 'http://notcustomer.io'}").warnings
