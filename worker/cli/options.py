"""The options that commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.core.model import ConfigError, Problem

if TYPE_CHECKING:
    from worker.core.message_id import MessageIds
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings

DEFAULT_CONFIG = Path("config/worker.yaml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The settings. [default: config/worker.yaml, or $WORKER_CONFIG]"
    ),
]
"""Every command takes it, after its name as well as before."""


def chosen_config(context: typer.Context, config: Path | None) -> Path:
    """The file that was asked for, behind the command's name, before it, or in the environment."""
    chosen: Path = config or context.find_root().params["config"]
    return chosen


def load(path: Path, *, needs_key: bool) -> tuple[Settings, Mappings]:
    """Settings and mappings.

    Raises:
        ConfigError: with the problems of both.
    """
    import os

    from worker.settings import SettingsError, load_settings

    try:
        settings = load_settings(path, os.environ, needs_key=needs_key)
    except SettingsError as error:
        raise ConfigError([*error.problems, *_mapping_problems(error.remaining)]) from None
    return settings, load_mappings(settings)


def load_mappings(settings: Settings) -> Mappings:
    """The mappings that the settings name. Raises ConfigError."""
    from worker.mapping.mappings import Mappings

    return Mappings.load(
        settings.mappings,
        mapper_path=settings.mapper_path,
        base=settings.base,
        dead_letter_topic=settings.kafka.dead_letter_topic,
        max_call_bytes=settings.batch.max_call_bytes,
        envelopes=settings.batch.context == "partition",
    )


def _mapping_problems(settings: Settings) -> list[Problem]:
    try:
        load_mappings(settings)
    except ConfigError as error:
        return error.problems
    return []
