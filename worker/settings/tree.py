"""Every setting: its meaning, its default, its bounds. The JSON Schema that editors show says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from worker.customerio.limits import MAX_BODY_BYTES, MAX_CALL_BYTES
from worker.documents.problems import Problem
from worker.settings.kafka_values import Properties, StartFrom, TopicName, start_timestamp
from worker.settings.schema import settings_schema
from worker.settings.values import (
    Address,
    Duration,
    Flag,
    Nullable,
    Ratio,
    Text,
    Url,
    Whole,
    Wrong,
    address,
    seconds,
)

BASE_URLS = {"us": "https://cdp.customer.io", "eu": "https://cdp-eu.customer.io"}
"""Where each region's API is (Customer.io Pipelines API reference)."""

_BODY_FRAME = len('{"batch":[]}')


class Section(BaseModel):
    """A part of worker.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _lasting(text: str, description: str, **bounds: Any) -> Any:
    """A duration with its default as people write it; greater than nothing unless `bounds` say otherwise."""
    bounds = bounds or {"gt": 0}
    return Field(
        default=seconds(text), description=description, json_schema_extra={"default": text}, **bounds
    )


class Kafka(Section):
    """Where records come from, and where those go that can never be delivered."""

    bootstrap_servers: Text = Field(
        default="localhost:9092", description="HOST:PORT of one or more brokers, separated by commas."
    )
    group_id: Text = Field(
        default="customerio-pipelines",
        description="The consumer group. Workers of one group share the partitions; a new name starts anew.",
    )
    dead_letter_topic: TopicName = Field(
        default="customerio.dead-letters",
        description="Records that can never be delivered are kept in this topic. It must exist and not be "
        "compacted.",
    )
    start_from: StartFrom = Field(
        default="earliest",
        description="Where a partition without a committed offset begins: earliest, latest, or a point in "
        "time (RFC 3339). Where the committed offset is below the log's start, the worker goes to the "
        "earliest record and counts what was lost.",
        examples=["earliest", "latest", "2026-11-21T10:00:00Z"],
    )
    properties: Properties = Field(
        default={},
        description="Any property of librdkafka, for the consumer and the producer: security.protocol, "
        "sasl.*, ssl.*, ... One that only one of the two knows goes to that one only.",
        examples=[{"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}],
        repr=False,
    )

    @property
    def start_timestamp(self) -> int | None:
        """Epoch milliseconds where `start_from` is a point in time; None for `earliest` and `latest`."""
        return start_timestamp(self.start_from)


def _key(value: Any) -> Any:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Wrong("must be text", "put it in quotes")
    key = value.strip()
    if not key.isascii() or not key.isprintable() or ":" in key or " " in key:
        raise Wrong("is not a key", "it holds a space, a colon or another character that no key has")
    return key


def _base_url(url: str) -> str:
    if url.endswith("/v1") or "/v1/" in url:
        raise Wrong("must be the URL without /v1", "the worker adds /v1/batch itself")
    return url


class Pipelines(Section):
    """The Customer.io Pipelines API."""

    region: Literal["us", "eu"] = Field(default="us", description="Where the workspace lives: us or eu.")
    url: Annotated[Annotated[Url, AfterValidator(_base_url)] | None, Nullable] = Field(
        default=None,
        description="Another base URL, such as an emulator's; overrides region.",
        examples=["http://127.0.0.1:8090"],
    )
    api_key: Annotated[SecretStr, BeforeValidator(_key), WithJsonSchema({"type": ["string", "null"]})] = (
        Field(
            default=SecretStr(""),
            description="The API key of the source. Take it from the environment; it is never printed.",
            json_schema_extra={"default": "${PIPELINES_API_KEY}"},
        )
    )
    strict: Flag = Field(
        default=True,
        description="Ask for real answers (X-Strict-Mode: 1). Without it the API says 200 to calls that it "
        "drops, and even to a wrong key.",
    )
    timeout: Duration = _lasting(
        "15s", "How long a request may take, from connecting to the last byte of the answer."
    )

    @property
    def base_url(self) -> str:
        """Where requests go, without a trailing slash: `/v1/batch` is appended."""
        return self.url or BASE_URLS[self.region]


class Batch(Section):
    """How calls share a request."""

    max_bytes: Whole = Field(
        default=475_000,
        ge=1,
        le=MAX_BODY_BYTES,
        description="Bytes of a request body, exact UTF-8. The API takes 500,000.",
    )
    max_calls: Whole = Field(default=2000, ge=1, description="Calls in a request.")
    max_call_bytes: Whole = Field(
        default=MAX_CALL_BYTES,
        ge=1,
        le=MAX_CALL_BYTES,
        description="Bytes of a call. The API takes 32,000; what is larger is dead-lettered.",
    )
    linger: Duration = _lasting(
        "500ms", "How long a call waits for others to share its request. 0s sends at once.", ge=0
    )
    context: Literal["partition", "per_item"] = Field(
        default="partition",
        description="partition: a request holds calls of one (context, integrations) only, right under every "
        "reading of the API's rule. per_item: calls of any context share a request.",
    )

    @model_validator(mode="after")
    def _fits_a_call(self) -> Batch:
        if self.max_bytes < self.max_call_bytes + _BODY_FRAME:
            least = self.max_call_bytes + _BODY_FRAME
            raise Wrong(
                f"must hold at least one call: {least} bytes with batch.max_call_bytes {self.max_call_bytes}",
                "raise it, or lower batch.max_call_bytes",
                key="max_bytes",
            )
        return self


class RateLimit(Section):
    """How many requests may be sent: never more than `requests` in any window of `per`.

    The limit is per process: divide the API's by the number of replicas.
    """

    requests: Whole = Field(
        default=3000, ge=1, description="Requests in any window of `per`, for this process alone."
    )
    per: Duration = _lasting("3s", "The window.")


class Delivery(Section):
    """How the worker insists."""

    max_requests_in_flight: Whole = Field(
        default=8, ge=1, le=1000, description="Requests under way at the same time."
    )
    retry_initial: Duration = _lasting("200ms", "The longest wait before the first retry; doubles with each.")
    retry_max: Duration = _lasting("30s", "The longest wait before any retry.")
    give_up_after: Annotated[Annotated[Duration, Field(gt=0)] | None, Nullable] = Field(
        default=None,
        description="null: wait an outage out. A duration: dead-letter what still fails after it. Never "
        "applies to a hold.",
        examples=["1h"],
    )
    give_up_alone_after: Duration = _lasting(
        "15m", "Dead-letter a single call that keeps getting 5xx for so long while others pass."
    )
    shutdown_timeout: Duration = _lasting("30s", "How long SIGTERM lets what is in hand be delivered.")

    @model_validator(mode="after")
    def _grows(self) -> Delivery:
        if self.retry_max < self.retry_initial:
            raise Wrong("must be at least delivery.retry_initial", key="retry_max")
        return self


class DeadLetters(Section):
    """When rejections are a storm and no longer single bad records, and how often a letter is replayed."""

    halt_after_consecutive: Whole = Field(
        default=1000,
        ge=1,
        description="So many dead letters in a row make the worker hold until it is restarted; with "
        "--until-caught-up it exits 1.",
    )
    halt_above_ratio: Ratio = Field(
        default=0.5, gt=0, description="So do dead letters above this share of the last `window` records."
    )
    window: Whole = Field(default=1000, ge=1, description="How many records the ratio looks back on.")
    max_replays: Whole = Field(
        default=5, ge=0, description="A letter that was replayed so often is left alone."
    )


class Memory(Section):
    """How far the worker may be ahead of what it has committed."""

    max_records_in_progress: Whole = Field(
        default=50_000,
        ge=1,
        description="Records fetched and not yet committable: what a crash sends again at most.",
    )
    max_bytes: Whole = Field(
        default=64_000_000, ge=1, description="Bytes of encoded calls and their records."
    )


class Limits(Section):
    """What one record may cost, so that no record stops the others."""

    mapping_timeout: Duration = _lasting(
        "5s",
        "How long mapping one record may take, while the process runs. Beyond it the record is tried once more, "
        "alone; beyond it again it is rejected with MAPPING_TOO_SLOW.",
        ge=0.1,
    )
    text_length: Whole = Field(
        default=1_000_000,
        ge=1,
        description="Characters of text that a function of an expression may make. Beyond it the expression "
        "fails (EXPRESSION_FAILED) before the text is made.",
    )


class Http(Section):
    """The worker's own pages."""

    listen: Annotated[Address | None, Nullable] = Field(
        default="127.0.0.1:8080",
        description="HOST:PORT of /livez, /readyz, /metrics and the status page; null turns them off.",
    )

    @property
    def address(self) -> tuple[str, int] | None:
        """`listen` in two parts; None if the pages are off."""
        return None if self.listen is None else address(self.listen)


class TelemetrySettings(Section):
    """What the worker tells."""

    otlp_endpoint: Annotated[Url | None, Nullable] = Field(
        default=None,
        description="Base URL of an OpenTelemetry collector (OTLP over HTTP) for traces and metrics.",
        examples=["http://localhost:4318"],
    )
    trace_sample_ratio: Ratio = Field(
        default=0.01, description="Which share of the requests becomes a trace."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, one JSON object a line elsewhere."
    )


Paths = Annotated[
    tuple[Text, ...], WithJsonSchema({"type": "array", "items": {"type": "string", "minLength": 1}})
]


ProblemAt = Callable[[tuple[str, ...], str, str | None], Problem]
"""Makes a problem of a key, what is wrong and a hint."""


class Settings(Section):
    """worker.yaml. Attributes have the names of its keys; durations are float seconds, sizes bytes."""

    kafka: Kafka = Kafka()
    pipelines: Pipelines = Pipelines()
    batch: Batch = Batch()
    rate_limit: RateLimit = RateLimit()
    delivery: Delivery = Delivery()
    dead_letters: DeadLetters = DeadLetters()
    memory: Memory = Memory()
    limits: Limits = Limits()
    http: Http = Http()
    telemetry: TelemetrySettings = TelemetrySettings()
    mapper_path: Paths = Field(
        default=("config",), description="Directories put on the import path for Python mappers."
    )
    mappings: Paths = Field(
        default=("config/mappings/*.yaml",),
        min_length=1,
        json_schema_extra={"minItems": 1},
        description="Mapping files; * and ** stand for many.",
    )

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())
    _base: Path = PrivateAttr(default=Path())
    _problem_at: ProblemAt | None = PrivateAttr(default=None)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What works and is probably not meant; said at every start."""
        return self._warnings

    @property
    def base(self) -> Path:
        """The folder of worker.yaml: relative paths are looked up in the current directory, then here."""
        return self._base

    def problem_at(self, path: tuple[str, ...], message: str, hint: str | None = None) -> Problem:
        """A problem with the value of a key, with the place where that came from."""
        if self._problem_at is None:
            return Problem(f"{'.'.join(path)}: {message}", hint=hint)
        return self._problem_at(path, message, hint)

    def locate(self, base: Path, problem_at: ProblemAt, warnings: Iterable[Problem]) -> None:
        """Remember where these settings were read and what is noteworthy about them; loading does it once."""
        self._base = base
        self._problem_at = problem_at
        self._warnings = tuple(warnings)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON Schema of worker.yaml, for editors."""
        return settings_schema(Settings)
