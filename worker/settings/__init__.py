"""worker.yaml → one frozen tree, all problems at once."""

from __future__ import annotations

from worker.settings.connections import BASE_URLS, Kafka, Pipelines, SchemaRegistry
from worker.settings.loading import SettingsError, load_settings
from worker.settings.tree import (
    Batch,
    DeadLetters,
    Delivery,
    Http,
    Memory,
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
    "SchemaRegistry",
    "Settings",
    "SettingsError",
    "TelemetrySettings",
    "load_settings",
]
