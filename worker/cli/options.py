"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from worker.core.records import Partition
    from worker.documents.problems import Problem
    from worker.mapping.mappings import Mappings
    from worker.settings import Settings

DEFAULT_CONFIG = Path("config/worker.yaml")

MAX_PARTITION, MAX_OFFSET = 2**31 - 1, 2**63 - 1
"""The largest partition and offset: signed integers of 32 and 64 bits in Kafka's protocol."""

_COORDINATES = re.compile(r"(.+):([0-9]{1,10}):([0-9]{1,19})")

CONFIG_HELP = "The settings. The default is $WORKER_CONFIG, or else config/worker.yaml."

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=CONFIG_HELP)]
"""Every command takes it, before or after the command's name."""

UnusedConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", hidden=True)]
"""For commands that read no settings: they take the option, so that scripts can give it to all, but do not show it."""


def chosen_config(context: typer.Context, config: Path | None) -> Path:
    """The configuration file: from the option after the command's name, before it, or the environment."""
    chosen: Path = config or context.find_root().params["config"]
    return chosen


def named_config(context: typer.Context, config: Path | None, *, environ: bool = False) -> Path | None:
    """The configuration file that the user named, after the command's name or before it; None if there is none.

    Args:
        context: of the command.
        config: the option after its name.
        environ: whether `$WORKER_CONFIG` names one, too.
    """
    if config is not None:
        return config
    root = context.find_root()
    source = root.get_parameter_source("config")
    names = {"COMMANDLINE", "ENVIRONMENT"} if environ else {"COMMANDLINE"}
    named: Path | None = root.params["config"] if source is not None and source.name in names else None
    return named


def load(path: Path, *, needs_key: bool, secrets_by_name: bool = False) -> tuple[Settings, Mappings]:
    """Settings and mappings, which fetch the schemas of records that they explain. See `load_configuration`.

    Raises:
        ConfigError: with the problems of both.
    """
    import os

    from worker.programs.configuration import load_configuration
    from worker.programs.fetching import fetch_schemas

    settings, mappings = load_configuration(
        path,
        os.environ,
        needs_key=needs_key,
        secrets_by_name=secrets_by_name,
        further_checks=_refused_properties,
    )
    return settings, fetch_schemas(settings, mappings)


def is_coordinates(text: str) -> bool:
    """Whether this looks like `TOPIC:PARTITION:OFFSET`."""
    return _COORDINATES.fullmatch(text) is not None


def coordinates(text: str, option: str) -> tuple[Partition, int]:
    """Topic, partition and offset of `TOPIC:PARTITION:OFFSET`."""
    match = _COORDINATES.fullmatch(text)
    if match is None or int(match[2]) > MAX_PARTITION or int(match[3]) > MAX_OFFSET:
        raise typer.BadParameter("a record is TOPIC:PARTITION:OFFSET", param_hint=option)
    return (match[1], int(match[2])), int(match[3])


def _refused_properties(settings: Settings) -> list[Problem]:
    """What librdkafka refuses of `kafka.properties`, or warns of; loads it only if there are any."""
    if not settings.kafka.properties:
        return []
    from worker.adapters.kafka.property_checks import property_problems

    return property_problems(settings)
