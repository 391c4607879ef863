"""The sections of worker.yaml about other systems: Kafka, the schema registry, the Pipelines API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, WithJsonSchema

from worker.documents.problems import Problem
from worker.settings.kafka_auth import AUTH_FIELD, Auth
from worker.settings.kafka_values import Properties, StartFrom, TopicName, start_timestamp
from worker.settings.secret_files import FILE_SCHEMA, SecretFileError, read_secret
from worker.settings.section import Section, lasting
from worker.settings.values import Duration, Flag, InvalidValueError, Nullable, Text, Url

TokenCallback = Callable[[str | None], tuple[Any, ...]]
"""Takes `sasl.oauthbearer.config`; returns a token, when it expires in epoch seconds, and perhaps principal and
extensions."""

SECRET_SCHEMA = WithJsonSchema({"anyOf": [{"type": ["string", "null"]}, FILE_SCHEMA]})

METADATA_REFRESH, METADATA_REFRESH_MS = "topic.metadata.refresh.interval.ms", 30_000
"""How often the client looks for new topics and partitions, and the worker's default. 0 and -1 turn that off."""

DEFAULT_SESSION_SECONDS = 45
"""The default of librdkafka's `session.timeout.ms` and of the brokers' `group.consumer.session.timeout.ms`."""

BASE_URLS = {"us": "https://cdp.customer.io", "eu": "https://cdp-eu.customer.io"}
"""Each region's base URL (Customer.io Pipelines API reference)."""


class Kafka(Section):
    """The Kafka cluster, the consumer group and the dead-letter topic."""

    bootstrap_servers: Text = Field(
        default="localhost:9092", description="HOST:PORT of one or more brokers, separated by commas."
    )
    group_id: Text = Field(
        default="customerio-pipelines",
        description="The consumer group. Workers of one group share the partitions; a new name starts anew.",
    )
    dead_letter_topic: TopicName = Field(
        default="customerio.dead-letters",
        description="The topic for records that can never be delivered. It must exist and must not be "
        "compacted.",
    )
    start_from: StartFrom = Field(
        default="earliest",
        description="Where to start in a partition without a committed offset: earliest, latest, or a point in "
        "time (RFC 3339). If the committed offset is below the log's start, the worker continues at the "
        "earliest record and counts the lost ones. With latest, the group commits the ends at its first start; "
        "topics and partitions created after that are read from their beginning.",
        examples=["earliest", "latest", "2026-11-21T10:00:00Z"],
    )
    properties: Properties = Field(
        default={},
        description="Any property of librdkafka, for the consumer and the producer: security.protocol, "
        "sasl.*, ssl.*, ... A property that only one of the two knows is set on that one only.",
        examples=[{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}],
        repr=False,
    )
    auth: Auth = AUTH_FIELD

    _token_callback: TokenCallback | None = PrivateAttr(default=None)
    _missing_files: tuple[Problem, ...] = PrivateAttr(default=())

    @property
    def token_callback(self) -> TokenCallback | None:
        """The client's `oauth_cb` where `auth` is set, once its provider has been found."""
        return self._token_callback

    def use_tokens_of(self, callback: TokenCallback) -> None:
        """Set what `token_callback` returns; loading the configuration calls this once."""
        self._token_callback = callback

    @property
    def missing_files(self) -> tuple[Problem, ...]:
        """The properties whose file cannot be read, so that they are not set."""
        return self._missing_files

    def leave_out(self, missing: tuple[Problem, ...]) -> None:
        """Remember which properties have a file that cannot be read; loading calls this once."""
        self._missing_files = missing

    @property
    def metadata_refresh(self) -> float:
        """Seconds within which each member of the group looks for new topics and partitions."""
        given = self.properties.get(METADATA_REFRESH, "")
        return ((int(given) if given.isdecimal() else 0) or METADATA_REFRESH_MS) / 1000

    @property
    def start_timestamp(self) -> int | None:
        """Epoch milliseconds where `start_from` is a point in time; None for `earliest` and `latest`."""
        return start_timestamp(self.start_from)


def _password(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value or None
    raise InvalidValueError("must be text", "put it in quotes")


def _key(value: Any) -> Any:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValueError("must be text", "put it in quotes")
    key = value.strip()
    if not key.isascii() or not key.isprintable() or ":" in key or " " in key:
        raise InvalidValueError(
            "is not an API key", "it has a space, a colon or another character that no key has"
        )
    return key


def _base_url(url: str) -> str:
    if url.endswith("/v1") or "/v1/" in url:
        raise InvalidValueError("must be the URL without /v1", "the worker adds /v1/batch itself")
    return url


class SchemaRegistry(Section):
    """The schema registry, where mappings need one."""

    url: Annotated[Url | None, Nullable] = Field(
        default=None,
        description="The base URL of the Confluent API. Apicurio's is .../apis/ccompat/v7.",
        examples=["https://registry.example.com", "http://localhost:8080/apis/ccompat/v7"],
    )
    username: Annotated[Text | None, Nullable] = Field(
        default=None, description="For HTTP Basic authentication."
    )
    password: Annotated[SecretStr | None, BeforeValidator(_password), SECRET_SCHEMA] = Field(
        default=None, description="Take it from the environment or a file; it is never printed."
    )
    ca_file: Annotated[Text | None, Nullable] = Field(
        default=None, description="PEM file of the certificate authorities; null: those of the system."
    )
    timeout: Duration = lasting("5s", "How long a request may take.")


class Pipelines(Section):
    """The Customer.io Pipelines API."""

    region: Literal["us", "eu"] = Field(default="us", description="The workspace's region: us or eu.")
    url: Annotated[Annotated[Url, AfterValidator(_base_url)] | None, Nullable] = Field(
        default=None,
        description="Another base URL, such as an emulator's; overrides region.",
        examples=["http://127.0.0.1:8090"],
    )
    api_key: Annotated[SecretStr, BeforeValidator(_key), SECRET_SCHEMA] = Field(
        default=SecretStr(""),
        description="The API key of the source. Take it from the environment, or from a file ({file: path}), "
        "which is read again after each 401; it is never printed.",
        json_schema_extra={"default": "${PIPELINES_API_KEY}"},
    )
    strict: Flag = Field(
        default=True,
        description="Send X-Strict-Mode: 1. Without it the API returns 200 for calls that it "
        "drops, and even for a wrong key.",
    )
    timeout: Duration = lasting(
        "15s", "How long a request may take, from connecting to the last byte of the response."
    )

    _key_file: Path | None = PrivateAttr(default=None)

    def locate_key(self, file: Path | None) -> None:
        """Remember the file that the API key was read from; loading calls this once."""
        self._key_file = file

    def key_from_file(self) -> str | None:
        """The API key that is in its file now; None if it does not come from a file, or the file has none."""
        if self._key_file is None:
            return None
        try:
            return str(_key(read_secret(self._key_file))) or None
        except (SecretFileError, InvalidValueError):
            return None

    @property
    def base_url(self) -> str:
        """The URL to which `/v1/batch` is appended, without a trailing slash."""
        return self.url or BASE_URLS[self.region]
