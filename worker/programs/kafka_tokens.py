"""Finds what `kafka.auth` names, and gives it to the Kafka clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.documents.problems import Problem
from worker.mapping.mappers.loading import MapperProblem, Mappers

if TYPE_CHECKING:
    from worker.adapters.kafka.tokens import Provider
    from worker.settings import Settings


def use_tokens(settings: Settings) -> list[Problem]:
    """Have the Kafka clients of these settings ask the provider of `kafka.auth`; returns why there is none.

    Nothing is connected to: a provider is called when the first client is made.
    """
    auth = settings.kafka.auth
    if auth is None:
        return []
    from worker.adapters.kafka.msk_iam import EXTRA, MissingExtraError, msk_iam_provider  # noqa: PLC0415 - see below
    from worker.adapters.kafka.tokens import TokenSource  # noqa: PLC0415 - loads the Kafka client

    try:
        provider = msk_iam_provider(auth.region) if auth.region else _found(settings, auth.provider or "")
    except MissingExtraError:
        hint = f"pip install 'customerio-pipelines-worker[{EXTRA}]'"
        return [settings.problem_at(("kafka", "auth", "type"), f"needs the extra {EXTRA}", hint)]
    except MapperProblem as problem:
        if problem.file is not None:
            return [Problem(problem.message, problem.file, problem.line, hint=problem.hint)]
        return [settings.problem_at(("kafka", "auth", "provider"), problem.message, problem.hint)]
    settings.kafka.use_tokens_of(TokenSource(auth.provider or auth.type, provider))
    return []


def _found(settings: Settings, name: str) -> Provider:
    return Mappers(settings.mapper_path, settings.base).provider(name)
