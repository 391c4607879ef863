"""worker.yaml → one frozen tree, all problems at once."""

from __future__ import annotations

from worker.settings.loading import SettingsError, load_settings
from worker.settings.tree import (
    BASE_URLS,
    Batch,
    DeadLetters,
    Delivery,
    Http,
    Kafka,
    Memory,
    Pipelines,
    RateLimit,
    Settings,
    TelemetrySettings,
)

__all__ = [
    "BASE_URLS",
    "Batch",
    "DeadLetters",
    "Delivery",
    "Http",
    "Kafka",
    "Memory",
    "Pipelines",
    "RateLimit",
    "Settings",
    "SettingsError",
    "TelemetrySettings",
    "load_settings",
]
