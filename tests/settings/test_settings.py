"""worker.yaml: what it may say, and where every mistake is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.documents.problems import ConfigError, Problem
from worker.settings import Settings, SettingsError, load_settings
from worker.settings.values import InvalidValueError, address, seconds

SECRET = "sk_very_secret"

Load = Callable[..., Settings]
Problems = Callable[..., list[Problem]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, environ: Mapping[str, str] | None = None, *, needs_key: bool = False) -> Settings:
        path = tmp_path / "worker.yaml"
        path.write_text(text)
        return load_settings(path, environ or {}, needs_key=needs_key)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    def problems(
        text: str, environ: Mapping[str, str] | None = None, *, needs_key: bool = False
    ) -> list[Problem]:
        with pytest.raises(ConfigError) as raised:
            load(text, environ, needs_key=needs_key)
        return raised.value.problems

    return problems


def test_an_empty_file_has_every_default(load: Load) -> None:
    settings = load("")
    assert settings.kafka.model_dump() == {
        "bootstrap_servers": "localhost:9092",
        "group_id": "customerio-pipelines",
        "dead_letter_topic": "customerio.dead-letters",
        "start_from": "earliest",
        "properties": {},
        "auth": None,
    }
    assert settings.schema_registry.model_dump() == {
        "url": None,
        "username": None,
        "password": None,
        "ca_file": None,
        "timeout": 5.0,
    }
    assert settings.pipelines.base_url == "https://cdp.customer.io"
    assert (settings.pipelines.strict, settings.pipelines.timeout) == (True, 15.0)
    assert settings.batch.model_dump() == {
        "max_bytes": 475_000,
        "max_calls": 2000,
        "max_call_bytes": 32_000,
        "linger": 0.5,
        "context": "partition",
    }
    assert (settings.rate_limit.requests, settings.rate_limit.per) == (3000, 3.0)
    assert settings.delivery.model_dump() == {
        "max_requests_in_flight": 8,
        "retry_initial": 0.2,
        "retry_max": 30.0,
        "give_up_after": None,
        "give_up_alone_after": 900.0,
        "shutdown_timeout": 30.0,
    }
    assert settings.dead_letters.model_dump() == {
        "halt_after_consecutive": 1000,
        "halt_above_ratio": 0.5,
        "window": 1000,
        "max_replays": 5,
    }
    assert (settings.memory.max_records_in_progress, settings.memory.max_bytes) == (50_000, 64_000_000)
    assert settings.http.address == ("127.0.0.1", 8080)
    assert settings.telemetry.model_dump() == {
        "otlp_endpoint": None,
        "trace_sample_ratio": 0.01,
        "log_level": "info",
        "log_format": "auto",
    }
    assert (settings.mapper_path, settings.mappings) == (("config",), ("config/mappings/*.yaml",))
    assert settings.warnings == ()


def test_a_section_that_is_left_empty_has_its_defaults(load: Load) -> None:
    assert load("kafka:\nmemory:\n").model_dump() == load("").model_dump()


WRONG = [
    ("kafak: {}", 1, 1, "kafak: unknown key", "did you mean 'kafka'?"),
    ("kafka:\n  bootstrap_server: x", 2, 3, "unknown key", "did you mean 'bootstrap_servers'?"),
    ("batch:\n  foo: 1", 2, 3, "batch.foo: unknown key", "known here: max_bytes, max_calls"),
    ("batch: 7", 1, 8, "batch: must be a mapping of keys", None),
    ("- kafka", 1, 1, "must be a mapping of sections", None),
    ("batch:\n  max_bytes: 500001", 2, 14, "must be at most 500000", None),
    ("batch:\n  max_bytes: 32000", 2, 14, "must hold at least one call: 32012 bytes", None),
    ("batch:\n  max_call_bytes: 32001", 2, 19, "must be at most 32000", None),
    ("batch:\n  max_calls: 0", 2, 14, "must be at least 1", None),
    ('batch:\n  max_calls: "7"', 2, 14, "must be a whole number", None),
    ("batch:\n  max_calls: true", 2, 14, "must be a whole number", None),
    ("batch:\n  max_calls: 7.0", 2, 14, "must be a whole number", None),
    ("batch:\n  linger: 3", 2, 11, "must be a duration with its unit", "write 3s for seconds or 3ms"),
    ("batch:\n  linger: 0.5", 2, 11, "must be a duration with its unit", "write 0.5s for seconds"),
    ("batch:\n  linger: 3 s", 2, 11, "must be a duration", "500ms, 3s, 5m or 1h"),
    ("batch:\n  linger: -3s", 2, 11, "must be a duration", None),
    ("batch: {context: item}", 1, 18, "must be one of 'partition' or 'per_item'", None),
    ("pipelines:\n  timeout: 0s", 2, 12, "must be greater than 0", None),
    ("pipelines: {region: uk}", 1, 21, "must be one of 'us' or 'eu'", None),
    ("pipelines: {strict: 'yes'}", 1, 21, "must be true or false", None),
    ("pipelines: {url: 'ftp://x'}", 1, 18, "must be an http or https URL", None),
    ("pipelines: {url: 'https://'}", 1, 18, "must be an http or https URL", None),
    ("pipelines: {url: 'https://x:99999'}", 1, 18, "must be an http or https URL", None),
    ("pipelines: {url: 'https://me:pw@x'}", 1, 18, "must not contain a user or a password", None),
    ("pipelines: {url: 'https://x?y'}", 1, 18, "must be a base URL", None),
    ("pipelines: {url: 'https://x/v1/'}", 1, 18, "without /v1", None),
    ("pipelines: {api_key: 'a:b'}", 1, 22, "is not an API key", None),
    ("rate_limit: {requests: 0}", 1, 24, "must be at least 1", None),
    ("rate_limit: {per: 0ms}", 1, 19, "must be greater than 0", None),
    ("delivery: {max_requests_in_flight: 0}", 1, 36, "must be at least 1", None),
    ("delivery: {retry_max: 100ms}", 1, 23, "must be at least delivery.retry_initial", None),
    ("delivery: {give_up_after: 0s}", 1, 27, "must be greater than 0", None),
    ("dead_letters: {halt_above_ratio: 0}", 1, 34, "must be greater than 0", None),
    ("dead_letters: {halt_above_ratio: 50}", 1, 34, "must be a number from 0 to 1", None),
    ("dead_letters: {max_replays: -1}", 1, 29, "must be at least 0", None),
    ("memory: {max_records_in_progress: 0}", 1, 35, "must be at least 1", None),
    ("http: {listen: 8080}", 1, 16, "must be text", None),
    ("http: {listen: localhost}", 1, 16, "must be HOST:PORT", None),
    ("http: {listen: 'localhost:99999'}", 1, 16, "must be HOST:PORT", None),
    ("telemetry: {log_level: loud}", 1, 24, "must be one of 'debug', 'info', 'warning' or 'error'", None),
    ("telemetry: {trace_sample_ratio: 2}", 1, 33, "must be a number from 0 to 1", None),
    ("telemetry: {otlp_endpoint: 'localhost:4317'}", 1, 28, "must be an http or https URL", None),
    ("mappings: config/*.yaml", 1, 11, "must be a list", None),
    ("mappings: []", 1, 11, "must not be empty", None),
    ("mappings:\n  - a.yaml\n  - 7", 3, 5, "mappings[1]: must be text", None),
    ("mapper_path: [' ']", 1, 15, "must not be empty", None),
    ('mapper_path: ["a\\0"]', 1, 15, "must not contain NUL", None),
    ("kafka: {group_id: ''}", 1, 19, "must not be empty", None),
    ("kafka: {group_id: 7}", 1, 19, "must be text", "put it in quotes"),
    ("kafka: {dead_letter_topic: 'a b'}", 1, 28, "must be the name of a topic", None),
    ("kafka: {start_from: newest}", 1, 21, "must be earliest, latest or a point in time", None),
    ("kafka: {start_from: 2026-11-21}", 1, 21, "must be earliest, latest or a point in time", None),
    ("kafka: {start_from: '2026-11-21T10:00:00'}", 1, 21, "must be earliest, latest", "2026-11-21T10:00:00Z"),
    ("kafka: {properties: [a]}", 1, 21, "must be a mapping of librdkafka's properties", None),
    ("kafka:\n  properties:\n    acks: 1", 3, 11, "acks: is set by the worker", "always all"),
    ("kafka:\n  properties:\n    group.id: x", 3, 15, "is set by the worker", "kafka.group_id"),
    ("kafka:\n  properties:\n    enable.auto.commit: true", 3, 25, "is set by the worker", None),
    ("kafka:\n  properties:\n    enable.auto.offset.store: true", 3, 31, "is set by the worker", None),
    ("kafka:\n  properties:\n    oauth_cb: f", 3, 15, "is a Python object", "kafka.auth"),
    ("kafka:\n  properties:\n    default.topic.config: x", 3, 27, "is a Python object", "kafka.auth"),
    ("kafka:\n  properties:\n    auto.offset.reset: latest", 3, 24, "is set by the worker", "start_from"),
    ("kafka:\n  properties:\n    isolation.level: x", 3, 22, "is set by the worker", "read_committed"),
    ("kafka:\n  properties:\n    enable.idempotence: false", 3, 25, "is set by the worker", None),
    (
        "kafka:\n  properties:\n    bootstrap.servers: x",
        3,
        24,
        "is set by the worker",
        "kafka.bootstrap_servers",
    ),
    ("kafka:\n  properties:\n    sasl.password: [x]", 3, 20, "must be text, a number", None),
    (
        "kafka: {group_id: '${GROUP}'}",
        1,
        19,
        "the environment variable GROUP is not set",
        "${GROUP:-default}",
    ),
    ("kafka: !!map {}", 1, 8, "tags", None),
    ("kafka: &a {}", 1, 8, "anchors", None),
    ("kafka: {}\nkafka: {}", 2, 1, "the key 'kafka' is duplicated", None),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), WRONG, ids=[row[0] for row in WRONG])
def test_a_mistake_is_reported_at_its_place(
    problems: Problems, text: str, line: int, column: int, message: str, hint: str | None
) -> None:
    (problem,) = problems(text)
    assert (problem.line, problem.column) == (line, column)
    assert problem.file is not None
    assert problem.file.endswith("worker.yaml")
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    text = "kafka:\n  group: ${NO_GROUP}\nbatch:\n  linger: 3\n  max_calls: 0\nfoo: 1\n"
    found = problems(
        text, {"WORKER__MEMORY__MAX_BYTES": "much", "WORKER__BATCH__LINGR": "1s"}, needs_key=True
    )
    assert [problem.line for problem in found] == [2, 2, 4, 5, 6, None, None, None]
    assert {problem.file for problem in found if problem.line is None} > {
        "WORKER__BATCH__LINGR",
        "WORKER__MEMORY__MAX_BYTES",
    }


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file.*pipelines-worker init"):
        load_settings(tmp_path / "none.yaml", {}, needs_key=False)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path, {}, needs_key=False)


@pytest.mark.parametrize(
    ("variable", "text", "path", "value"),
    [
        ("WORKER__KAFKA__GROUP_ID", "7", "kafka.group_id", "7"),
        ("WORKER__BATCH__MAX_CALLS", "7", "batch.max_calls", 7),
        ("WORKER__BATCH__LINGER", "0s", "batch.linger", 0.0),
        ("WORKER__PIPELINES__STRICT", "False", "pipelines.strict", False),
        ("WORKER__PIPELINES__REGION", "eu", "pipelines.region", "eu"),
        ("WORKER__PIPELINES__URL", "", "pipelines.url", None),
        ("WORKER__HTTP__LISTEN", "null", "http.listen", None),
        ("WORKER__HTTP__LISTEN", "[::1]:0", "http.listen", "[::1]:0"),
        ("WORKER__DELIVERY__GIVE_UP_AFTER", "1h", "delivery.give_up_after", 3600.0),
        ("WORKER__DEAD_LETTERS__HALT_ABOVE_RATIO", "1e-1", "dead_letters.halt_above_ratio", 0.1),
        ("WORKER__MAPPINGS", '["a.yaml", "b.yaml"]', "mappings", ("a.yaml", "b.yaml")),
        ("WORKER__MAPPER_PATH", "[]", "mapper_path", ()),
        ("WORKER__KAFKA__PROPERTIES", '{"a": 1, "b": true, "c": "${D}"}', "kafka.properties",
         {"a": "1", "b": "true", "c": "${D}"}),
    ],
)  # fmt: skip
def test_a_variable_overrides_a_key(load: Load, variable: str, text: str, path: str, value: Any) -> None:
    settings: Any = load("kafka: {group_id: '${UNSET}'}" if "GROUP" in variable else "", {variable: text})
    for name in path.split("."):
        settings = getattr(settings, name)
    assert settings == value


@pytest.mark.parametrize(
    ("variable", "text", "message", "hint"),
    [
        ("WORKER__BATCH__MAX_CALL", "7", "overrides no key", "WORKER__BATCH__MAX_CALLS"),
        ("WORKER__BATCH", "7", "overrides no key", None),
        ("WORKER__", "7", "overrides no key", None),
        ("WORKER__BATCH__LINGER__X", "7", "overrides no key", "WORKER__BATCH__LINGER"),
        ("WORKER__BATCH__LINGER", "7", "must be a duration", None),
        ("WORKER__BATCH__MAX_CALLS", "many", "must be a whole number", None),
        ("WORKER__KAFKA__PROPERTIES", "a=b", "must be JSON", '{"security.protocol": "SSL"}'),
        ("WORKER__KAFKA__PROPERTIES", '{"acks": 1}', "is set by the worker", None),
        ("WORKER__KAFKA__PROPERTIES__ACKS", "1", "are set together", "takes JSON"),
        ("WORKER__MAPPINGS", "a.yaml", "must be JSON", None),
    ],
)
def test_a_wrong_variable_is_reported_by_its_name(
    problems: Problems, variable: str, text: str, message: str, hint: str | None
) -> None:
    (problem,) = problems("", {variable: text})
    assert (problem.file, problem.line) == (variable, None)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")


def test_variables_inside_of_values_stand_for_numbers_truths_and_nothing(load: Load) -> None:
    text = """
        kafka: {group_id: "workers-${ENV:-dev}", properties: {sasl.password: "${PASSWORD}"}}
        batch: {max_calls: "${CALLS}", linger: "${LINGER:-2s}"}
        pipelines: {url: "${URL:-}", strict: "${STRICT}", region: "${REGION}"}
    """
    settings = load(text, {"PASSWORD": SECRET, "CALLS": "9", "STRICT": "true", "REGION": "eu"})
    assert settings.kafka.group_id == "workers-dev"
    assert settings.kafka.properties == {"sasl.password": SECRET}
    assert (settings.batch.max_calls, settings.batch.linger) == (9, 2.0)
    assert (settings.pipelines.url, settings.pipelines.strict) == (None, True)
    assert settings.pipelines.base_url == "https://cdp-eu.customer.io"


@pytest.mark.parametrize(
    "text", ["", "pipelines: {api_key: '${PIPELINES_API_KEY}'}", "pipelines: {api_key: null}"]
)
@pytest.mark.parametrize("environ", [{}, {"PIPELINES_API_KEY": ""}, {"PIPELINES_API_KEY": " \n"}])
def test_a_key_is_needed_only_to_deliver(
    load: Load, problems: Problems, text: str, environ: Mapping[str, str]
) -> None:
    assert load(text, environ, needs_key=False).pipelines.api_key.get_secret_value() == ""
    (problem,) = problems(text, environ, needs_key=True)
    assert "there is no API key" in problem.message
    assert problem.hint == "set PIPELINES_API_KEY"


@pytest.mark.parametrize(
    ("text", "variable"),
    [
        ("", "PIPELINES_API_KEY"),
        ("pipelines: {api_key: '${OTHER}'}", "OTHER"),
        ("pipelines: {api_key: '${OTHER}'}", "WORKER__PIPELINES__API_KEY"),
    ],
)
def test_the_key_comes_from_the_environment_without_the_newline_of_a_secret_file(
    load: Load, text: str, variable: str
) -> None:
    settings = load(text, {variable: f"{SECRET}\n"}, needs_key=True)
    assert settings.pipelines.api_key.get_secret_value() == SECRET


def test_secrets_are_in_no_message_and_no_representation(load: Load, problems: Problems) -> None:
    environ = {"PIPELINES_API_KEY": SECRET, "PASSWORD": SECRET}
    text = "kafka: {properties: {sasl.password: '${PASSWORD}'}}"
    settings = load(text, environ, needs_key=True)
    assert SECRET not in repr(settings) + str(settings) + str(settings.pipelines)
    wrong = problems(
        "kafka: {properties: {sasl.password: ['${PASSWORD}']}, group_id: ['${PASSWORD}']}\n"
        "batch: {linger: '${PASSWORD}', max_calls: '${PASSWORD}', context: '${PASSWORD}'}\n"
        "pipelines: {url: 'https://me:${PASSWORD}@x', region: '${PASSWORD}', api_key: '${PASSWORD}:'}\n",
        {**environ, "WORKER__KAFKA__PROPERTIES": f'"{SECRET}"', "WORKER__HTTP__LISTEN": SECRET},
    )
    assert len(wrong) > 6
    assert SECRET not in "".join(map(str, wrong)) + "".join(map(repr, wrong))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipelines: {strict: false}", "pipelines.strict"),
        ("pipelines: {url: 'http://cdp.example.com'}", "unencrypted"),
        ("pipelines: {url: 'http://8.8.8.8:80'}", "unencrypted"),
        ("pipelines: {url: 'http://10.0.0.1'}", "unencrypted"),
        ("pipelines: {url: 'http://emulator:8090'}", "unencrypted"),
        ("schema_registry: {url: 'http://registry:8081'}", "schema_registry.url: the password"),
        ("kafka: {properties: {enable.ssl.certificate.verification: false}}", "not verified"),
        ("kafka: {properties: {ssl.endpoint.identification.algorithm: none}}", "host names"),
        (
            "kafka: {properties: {sasl.mechanism: PLAIN, security.protocol: sasl_plaintext}}",
            "kafka.properties.security.protocol: the password or token travels unencrypted",
        ),
        (
            "kafka: {auth: {type: token, provider: 'a:b'}, properties: {security.protocol: SASL_PLAINTEXT}}",
            "travels unencrypted",
        ),
        (
            "kafka: {properties: {sasl.oauthbearer.token.endpoint.url: 'http://login.example.com'}}",
            "travel unencrypted",
        ),
        ("pipelines: {api_key: abc}", "the key is in the file"),
        ("rate_limit: {requests: 3001}", "more than the API accepts"),
        (
            "{rate_limit: {scope: group}, kafka: {properties: {session.timeout.ms: 5000}}}",
            "kafka.properties.session.timeout.ms: too short for rate_limit.scope: group",
        ),
        (
            "{rate_limit: {scope: group}, kafka: {properties: {heartbeat.interval.ms: 15001}}}",
            "kafka.properties.heartbeat.interval.ms: more than a third of session.timeout.ms",
        ),
    ],
)
def test_probable_mistakes_are_warnings(load: Load, text: str, message: str) -> None:
    (warning,) = load(text).warnings
    assert warning.warning
    assert warning.line == 1
    assert message in warning.message
    assert "abc" not in str(warning)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1",
        "http://127.0.0.1:1",
        "http://127.8.0.1:1",
        "http://[::1]:1",
        "http://a.localhost",
    ],
)
def test_this_machine_may_be_spoken_to_in_clear(load: Load, url: str) -> None:
    assert load(f"pipelines: {{url: '{url}/'}}").warnings == ()
    assert load(f"pipelines: {{url: '{url}/'}}").pipelines.base_url == url


@pytest.mark.parametrize(
    "text",
    [
        "kafka: {properties: {session.timeout.ms: 5000, heartbeat.interval.ms: 4000}}",
        "rate_limit: {scope: group}",
        "{rate_limit: {scope: group}, kafka: {properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 2000}}}",
    ],
)
def test_sessions_are_only_warned_of_where_a_limit_shared_by_the_group_needs_them(
    load: Load, text: str
) -> None:
    assert load(text).warnings == ()


def test_settings_do_not_change(load: Load) -> None:
    settings = load("")
    with pytest.raises(ValueError, match="frozen"):
        settings.batch.max_calls = 1


def test_a_start_is_a_point_in_time_or_one_of_the_two_ends(load: Load) -> None:
    assert load("kafka: {start_from: latest}").kafka.start_timestamp is None
    assert load("kafka: {start_from: '1970-01-01T01:00:01+01:00'}").kafka.start_timestamp == 1000


def test_mappings_are_checked_even_if_some_settings_are_wrong(load: Load) -> None:
    with pytest.raises(SettingsError) as raised:
        load("batch: {linger: 3}\nkafka: {dead_letter_topic: letters}\nmappings: [m.yaml]\nfoo: 1")
    assert raised.value.remaining.mappings == ("m.yaml",)
    assert raised.value.remaining.kafka.dead_letter_topic == "letters"
    with pytest.raises(ConfigError) as raised_without:
        load("mappings: 7")
    assert not isinstance(raised_without.value, SettingsError)


@given(st.integers(0, 10**6), st.sampled_from([("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: tuple[str, float]) -> None:
    assert seconds(f"{number}{unit[0]}") == pytest.approx(number * unit[1])


@given(st.text(max_size=10))
def test_any_text_is_a_duration_or_wrong(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except InvalidValueError:
        return


@given(st.text(max_size=20) | st.integers() | st.none())
def test_any_value_is_an_address_or_wrong(value: Any) -> None:
    try:
        host, port = address(value)
    except InvalidValueError:
        return
    assert host
    assert 0 <= port <= 65535


KEYS = st.sampled_from([*Settings.model_fields, "max_bytes", "linger", "url", "properties"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_file_is_settings_or_problems_with_a_place(
    tmp_path_factory: pytest.TempPathFactory, data: Any
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(json.dumps(data))
    try:
        load_settings(path, {}, needs_key=False)
    except ConfigError as error:
        assert all(problem.file for problem in error.problems)  # noqa: PT017 - both ends are right


def test_the_schema_accepts_what_the_worker_accepts_and_describes_every_key() -> None:
    schema = Settings.json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    right = {
        "kafka": {
            "bootstrap_servers": "${SERVERS:-x:1}",
            "properties": {"a": 1, "sasl.password": {"file": "/run/secrets/kafka"}},
            "auth": {"type": "aws_msk_iam", "region": "eu-west-1"},
        },
        "schema_registry": {"password": {"file": "/run/secrets/registry"}},
        "pipelines": {"url": None, "api_key": "${PIPELINES_API_KEY}", "timeout": "3s", "strict": "${STRICT}"},
        "batch": {"max_bytes": 475000},
        "delivery": {"give_up_after": None},
        "http": {"listen": None},
        "memory": None,
        "mappings": ["a.yaml"],
    }
    validator.validate(right)
    validator.validate({"kafka": {"auth": None}, "pipelines": {"api_key": {"file": "key"}}})
    more = [{"kafka": {"auth": {"type": "token"}}}, {"pipelines": {"api_key": {"path": "key"}}}]
    for wrong in [
        {"foo": 1},
        {"batch": {"max_bytes": 500001}},
        {"batch": {"linger": 3}},
        {"mappings": []},
        *more,
    ]:
        assert not validator.is_valid(wrong)
    for name, section in schema["properties"].items():
        assert section["description"], name
        for key, value in section.get("properties", {}).items():
            assert value["description"], f"{name}.{key}"
            assert "default" in value, f"{name}.{key}"


def test_the_defaults_in_the_schema_are_settings_themselves(load: Load) -> None:
    sections = Settings.json_schema()["properties"]
    written = {
        name: {key: value["default"] for key, value in section["properties"].items()}
        if "properties" in section
        else section["default"]
        for name, section in sections.items()
    }
    assert load(json.dumps(written)).model_dump() == load("").model_dump()
