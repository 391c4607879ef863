"""Every setting: its meaning, default and bounds. The JSON Schema for editors is generated from here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, WithJsonSchema, model_validator

from worker.customerio.limits import MAX_BODY_BYTES, MAX_CALL_BYTES
from worker.documents.problems import Problem
from worker.settings.connections import Kafka, Pipelines, SchemaRegistry
from worker.settings.schema import settings_schema
from worker.settings.secret_values import SECRETS_FIELD, Secrets
from worker.settings.section import Section, lasting
from worker.settings.values import (
    Address,
    Duration,
    InvalidValueError,
    Nullable,
    Ratio,
    Text,
    Url,
    Whole,
    address,
)

_BODY_FRAME = len('{"batch":[]}')


class Batch(Section):
    """How calls share a request."""

    max_bytes: Whole = Field(
        default=475_000,
        ge=1,
        le=MAX_BODY_BYTES,
        description="The largest request body, in exact UTF-8 bytes. The API accepts 500,000.",
    )
    max_calls: Whole = Field(default=2000, ge=1, description="The most calls in a request.")
    max_call_bytes: Whole = Field(
        default=MAX_CALL_BYTES,
        ge=1,
        le=MAX_CALL_BYTES,
        description="The largest call, in bytes. The API accepts 32,000; a larger call is dead-lettered.",
    )
    linger: Duration = lasting(
        "500ms", "How long a call waits for others to share its request. 0s sends at once.", ge=0
    )
    context: Literal["partition", "per_item"] = Field(
        default="partition",
        description="partition: the calls of a request share one (context, integrations), which is correct under "
        "every reading of the API's documentation. per_item: calls of any context share a request.",
    )

    @model_validator(mode="after")
    def _fits_a_call(self) -> Batch:
        if self.max_bytes < self.max_call_bytes + _BODY_FRAME:
            least = self.max_call_bytes + _BODY_FRAME
            raise InvalidValueError(
                f"must hold at least one call: {least} bytes with batch.max_call_bytes {self.max_call_bytes}",
                "raise it, or lower batch.max_call_bytes",
                key="max_bytes",
            )
        return self


class RateLimit(Section):
    """The rate limit: never more than `requests` requests in any window of `per`.

    With `scope: process` the limit is that of one `run`: divide the API's by the number of replicas. With
    `scope: group` it is that of all workers of the consumer group together.
    """

    requests: Whole = Field(default=3000, ge=1, description="Requests in any window of `per`.")
    per: Duration = lasting("3s", "The window.")
    scope: Literal["process", "group"] = Field(
        default="process",
        description="process: each `run` may send this many requests. group: the whole consumer group may, and each "
        "member sends in proportion to the partitions that it owns.",
    )


class Delivery(Section):
    """Retries, and how many requests run at once."""

    max_requests_in_flight: Whole = Field(
        default=8, ge=1, le=1000, description="Requests in flight at the same time."
    )
    retry_initial: Duration = lasting(
        "200ms", "The longest wait before the first retry; it doubles with each retry."
    )
    retry_max: Duration = lasting("30s", "The longest wait before any retry.")
    give_up_after: Annotated[Annotated[Duration, Field(gt=0)] | None, Nullable] = Field(
        default=None,
        description="null: retry for as long as an outage lasts. A duration: dead-letter calls that still fail "
        "after it. Never applies to a hold.",
        examples=["1h"],
    )
    give_up_alone_after: Duration = lasting(
        "15m", "Dead-letter a single call that gets 5xx for this long while others pass."
    )
    shutdown_timeout: Duration = lasting("30s", "How long the worker may go on delivering after SIGTERM.")

    @model_validator(mode="after")
    def _grows(self) -> Delivery:
        if self.retry_max < self.retry_initial:
            raise InvalidValueError("must be at least delivery.retry_initial", key="retry_max")
        return self


class DeadLetters(Section):
    """When rejections count as a storm, and how often a dead letter may be replayed."""

    halt_after_consecutive: Whole = Field(
        default=1000,
        ge=1,
        description="After this many dead letters in a row the worker holds until it is restarted; with "
        "--until-caught-up it exits with 1.",
    )
    halt_above_ratio: Ratio = Field(
        default=0.5,
        gt=0,
        description="It also holds when more than this share of the last `window` records failed.",
    )
    window: Whole = Field(default=1000, ge=1, description="How many records the ratio is computed over.")
    max_replays: Whole = Field(
        default=5, ge=0, description="A dead letter that was replayed this often is left alone."
    )


class Memory(Section):
    """How far the worker may run ahead of what it has committed."""

    max_records_in_progress: Whole = Field(
        default=50_000,
        ge=1,
        description="Records fetched and not committed yet: the most that a crash re-sends.",
    )
    max_bytes: Whole = Field(
        default=64_000_000, ge=1, description="Bytes of the encoded calls and records in progress."
    )


class Limits(Section):
    """What one record may cost, so that no record stops the others."""

    mapping_timeout: Duration = lasting(
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
    future: Annotated[Annotated[Duration, Field(ge=0)] | None, Nullable] = lasting(
        "5m",
        "An event's time that is later than its Kafka record's by more than this is replaced by the record's: a "
        "profile that has seen the future takes no update until then. null: never.",
    )
    profile: Literal["warn", "reject", "off"] = Field(
        default="warn",
        description="What happens to calls that exceed a limit of Customer.io's Track API: an id over 150 bytes, a "
        "trait's name over 150 or value over 1,000 bytes, more than 300 traits, an event's name over 100 bytes. warn: "
        "they are counted, and logged once a rule and kind; reject: LIMIT_EXCEEDED; off: nothing.",
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
    """Metrics, traces and logs."""

    otlp_endpoint: Annotated[Url | None, Nullable] = Field(
        default=None,
        description="Base URL of an OpenTelemetry collector (OTLP over HTTP) for traces and metrics.",
        examples=["http://localhost:4318"],
    )
    trace_sample_ratio: Ratio = Field(default=0.01, description="The share of requests that become a trace.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, otherwise one JSON object a line."
    )


Paths = Annotated[
    tuple[Text, ...], WithJsonSchema({"type": "array", "items": {"type": "string", "minLength": 1}})
]


ProblemAt = Callable[[tuple[str, ...], str, str | None], Problem]
"""Makes a problem from a key, a message and a hint."""


class Settings(Section):
    """worker.yaml. Attributes have the names of its keys; durations are float seconds, sizes bytes."""

    kafka: Kafka = Kafka()
    schema_registry: SchemaRegistry = SchemaRegistry()
    pipelines: Pipelines = Pipelines()
    batch: Batch = Batch()
    rate_limit: RateLimit = RateLimit()
    delivery: Delivery = Delivery()
    dead_letters: DeadLetters = DeadLetters()
    memory: Memory = Memory()
    limits: Limits = Limits()
    secrets: Secrets = SECRETS_FIELD
    http: Http = Http()
    telemetry: TelemetrySettings = TelemetrySettings()
    mapper_path: Paths = Field(
        default=("config",), description="Directories added to the import path for Python mappers."
    )
    mappings: Paths = Field(
        default=("config/mappings/*.yaml",),
        min_length=1,
        json_schema_extra={"minItems": 1},
        description="Mapping files; * and ** match many.",
    )

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())
    _base: Path = PrivateAttr(default=Path())
    _problem_at: ProblemAt | None = PrivateAttr(default=None)

    @property
    def secret_values(self) -> dict[str, str | None]:
        """Each of `secrets` by name; None where it has no value."""
        return {
            name: None if secret is None else secret.get_secret_value()
            for name, secret in self.secrets.items()
        }

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is valid but probably not intended; logged at every start."""
        return self._warnings

    @property
    def base(self) -> Path:
        """The folder of worker.yaml: relative paths are looked up in the current directory, then here."""
        return self._base

    def problem_at(
        self, path: tuple[str, ...], message: str, hint: str | None = None, *, warning: bool = False
    ) -> Problem:
        """A problem with the value of a key, at the place that the value came from."""
        if self._problem_at is None:
            return Problem(f"{'.'.join(path)}: {message}", hint=hint, warning=warning)
        return replace(self._problem_at(path, message, hint), warning=warning)

    def warn_of(self, problems: Iterable[Problem]) -> None:
        """Add to the warnings what was found out after loading."""
        self._warnings = (*self._warnings, *problems)

    def locate(self, base: Path, problem_at: ProblemAt, warnings: Iterable[Problem]) -> None:
        """Remember where these settings were read from, and their warnings; loading calls this once."""
        self._base = base
        self._problem_at = problem_at
        self._warnings = tuple(warnings)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON Schema of worker.yaml, for editors."""
        return settings_schema(Settings)
