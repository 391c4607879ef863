"""Loads the whole configuration, settings and mappings, for commands, tests and the demo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from worker.documents.problems import ConfigError, Problem
from worker.mapping.mappings import Mappings
from worker.programs.kafka_tokens import use_tokens
from worker.settings import Settings, SettingsError, load_settings


def load_configuration(
    path: str | Path,
    environ: Mapping[str, str],
    *,
    needs_key: bool,
    secrets_by_name: bool = False,
    further_checks: Callable[[Settings], list[Problem]] = lambda _: [],
) -> tuple[Settings, Mappings]:
    """Read worker.yaml and the mappings that it names; see `load_settings`.

    Args:
        path: the path of worker.yaml.
        environ: environment variables, for `${NAME}` and `WORKER__SECTION__KEY`.
        needs_key: whether an API key is required, and the values of all secrets.
        secrets_by_name: whether the name of a secret stands for its value, so that none is needed.
        further_checks: finds problems of settings that are valid individually.

    Raises:
        ConfigError: with all problems of the settings and of all mapping files.
    """
    # Even if worker.yaml has problems, its valid settings lead to the mapping files, whose problems are reported too.
    try:
        settings = load_settings(path, environ, needs_key=needs_key)
        problems = []
    except SettingsError as error:
        settings = error.remaining
        problems = error.problems
    further = [*use_tokens(settings), *further_checks(settings)]
    settings.warn_of(each for each in further if each.warning)
    problems = [*problems, *(each for each in further if not each.warning)]
    if problems:
        raise ConfigError([*problems, *_mapping_problems(settings)])
    mappings = load_mappings(settings, secrets_by_name=secrets_by_name)
    if needs_key and settings.schema_registry.url is None and (problem := mappings.needs_registry):
        raise ConfigError([problem])
    return settings, mappings


def load_mappings(settings: Settings, *, secrets_by_name: bool = False) -> Mappings:
    """Load the mappings that the settings name. Raises `ConfigError` with every problem of every file."""
    secrets = settings.secret_values
    return Mappings.load(
        settings.mappings,
        mapper_path=settings.mapper_path,
        base=settings.base,
        dead_letter_topic=settings.kafka.dead_letter_topic,
        max_call_bytes=settings.batch.max_call_bytes,
        text_length=settings.limits.text_length,
        secrets={name: name for name in secrets} if secrets_by_name else secrets,
        future=settings.limits.future,
        profile=settings.limits.profile,
        batch_contexts=settings.batch.context == "partition",
    )


def _mapping_problems(settings: Settings) -> list[Problem]:
    try:
        load_mappings(settings)
    except ConfigError as error:
        return error.problems
    return []
