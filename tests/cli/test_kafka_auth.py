"""`kafka.auth` in `check` and `run`: providers are found as mappers are, and every mistake has its place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.program import Cli

Write = Callable[[str, str], Path]

PROVIDERS = """\
import time

def token():
    raise AssertionError("check calls no provider")

def with_argument(config):
    return config

async def coroutine():
    return "token", time.time() + 60
"""

MAPPING = "topics: [orders]\nrules:\n  - {call: track, event: Ordered, userId: customer}\n"


@pytest.fixture
def tokens(write: Write) -> Iterator[str]:
    """A module of providers, under a name that no other test has imported."""
    write("config/mappings/orders.yaml", MAPPING)
    write("config/tokens_of_a_test.py", PROVIDERS)
    yield "tokens_of_a_test"
    sys.modules.pop("tokens_of_a_test", None)


def config(write: Write, auth: str) -> None:
    write("config/worker.yaml", f"kafka:\n  auth: {auth}\n")


def test_a_provider_is_found_as_mappers_are_and_not_called(cli: Cli, write: Write, tokens: str) -> None:
    config(write, f"{{type: token, provider: '{tokens}:token'}}")
    done = cli("check")
    assert (done.code, done.out) == (0, ""), done


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("no_such_module:token", "there is no module no_such_module (looked in "),
        ("{tokens}:tokn", "has no function tokn (did you mean 'token'?)"),
        (
            "{tokens}:with_argument",
            "cannot be called without arguments (def with_argument() -> tuple[str, float])",
        ),
        ("{tokens}:coroutine", "is async (it must be a plain function, not a coroutine)"),
        ("time:time", "is part of Python's standard library"),
        ("no-such-entry-point", "no installed package offers no-such-entry-point"),
    ],
)
def test_a_provider_that_cannot_be_used_is_a_problem_with_its_place(
    cli: Cli, write: Write, tokens: str, provider: str, said: str
) -> None:
    config(write, f"{{type: token, provider: '{provider.format(tokens=tokens)}'}}")
    checked, run = cli("check"), cli("run")
    assert (checked.code, run.code) == (1, 2)
    assert "config/worker.yaml:2:33: kafka.auth.provider: " in checked.out
    assert said in checked.out
    assert said in run.err


def test_a_module_that_fails_is_a_problem_at_its_own_line(cli: Cli, write: Write, tokens: str) -> None:
    write(f"config/{tokens}.py", "import time\n\n1 / 0\n")
    config(write, f"{{type: token, provider: '{tokens}:token'}}")
    assert f"config/{tokens}.py:3: module {tokens} cannot be imported: ZeroDivisionError" in cli("check").out


def test_a_missing_extra_is_a_problem_that_names_it(
    cli: Cli, write: Write, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(write, "{type: aws_msk_iam, region: eu-west-1}")
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    checked, run, drafted = cli("check"), cli("run"), cli("init", "--from-topic", "customers")
    assert (checked.code, run.code, drafted.code) == (1, 2, 2)
    line = (
        "config/worker.yaml:2:16: kafka.auth.type: needs the extra msk-iam "
        "(pip install 'customerio-pipelines-worker[msk-iam]')"
    )
    assert line in checked.out
    assert line in run.err
    assert line in drafted.err


def test_tokens_for_amazon_msk_are_signed_without_a_connection(
    cli: Cli, write: Write, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    msk_iam = pytest.importorskip("aws_msk_iam_sasl_signer") and __import__(
        "worker.adapters.kafka.msk_iam", fromlist=["msk_iam_provider"]
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    config(write, "{type: aws_msk_iam, region: eu-west-1}")
    assert cli("check").code == 0
    token, expires_at = msk_iam.msk_iam_provider("eu-west-1")()
    assert isinstance(token, str)
    assert expires_at < 10_000_000_000, "seconds, not milliseconds"


@pytest.mark.parametrize(
    "name", ["oauth_cb", "error_cb", "stats_cb", "throttle_cb", "default.topic.config", "logger"]
)
def test_properties_that_are_python_callbacks_are_problems_that_name_kafka_auth(
    cli: Cli, write: Write, tokens: str, name: str
) -> None:
    write("config/worker.yaml", f"kafka:\n  properties:\n    {name}: x\n")
    checked, run = cli("check"), cli("run")
    assert (checked.code, run.code) == (1, 2)
    assert f"config/worker.yaml:3:{len(name) + 7}: kafka.properties.{name}: " in checked.out
    assert "kafka.auth" in checked.out
    assert "kafka.auth" in run.err


def test_a_missing_secret_file_is_a_warning_of_check_and_ends_what_delivers(
    cli: Cli, write: Write, tokens: str
) -> None:
    write(
        "config/worker.yaml",
        "kafka:\n  properties:\n    security.protocol: SASL_SSL\n    sasl.mechanism: SCRAM-SHA-512\n"
        "    sasl.username: me\n    sasl.password: {file: /run/no/password}\n"
        "pipelines: {api_key: {file: /run/no/key}}\n",
    )
    checked, run, listed = cli("check"), cli("run"), cli("dlq", "list")
    assert (checked.code, run.code, listed.code) == (0, 2, 1)
    assert checked.out.splitlines() == [
        "config/worker.yaml:6:20: warning: kafka.properties.sasl.password: the file /run/no/password: no such file",
        "config/worker.yaml:7:22: warning: pipelines.api_key: the file /run/no/key: no such file",
    ]
    assert run.err.count("no such file") == 2
    assert "kafka.properties.sasl.password: the file /run/no/password: no such file" in listed.err
