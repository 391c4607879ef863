"""The settings of one of several worker processes: limits are divided, names that must differ get its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.documents.problems import ConfigError

if TYPE_CHECKING:
    from worker.settings.tree import Memory, RateLimit, Settings

LEAST_RECORDS, LEAST_BYTES = 1_000, 8_000_000
"""What each process has in progress at least: with less, requests are never full."""

STATIC_MEMBER = "group.instance.id"


@dataclass(frozen=True, slots=True)
class Process:
    """One of the processes of a `run`.

    Attributes:
        number: from 0.
        of: how many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Process:
        """Parse `NUMBER/OF`."""
        number, _, of = text.partition("/")
        return cls(int(number), int(of))

    def __str__(self) -> str:
        """The form that `parse` takes."""
        return f"{self.number}/{self.of}"


def share_of(settings: Settings, process: Process) -> Settings:
    """The settings of one process.

    Raises:
        ConfigError: there are fewer requests in the rate limit than processes.
    """
    n = settings.rate_limit.requests
    if settings.rate_limit.scope == "process" and n < process.of:
        requests = f"{n} request{'s' * (n > 1)}"
        message = f"{requests} cannot be divided among {process.of} processes"
        raise ConfigError(
            [settings.problem_at(("rate_limit", "requests"), message, "use fewer processes, or raise it")]
        )
    properties = dict(settings.kafka.properties)
    if STATIC_MEMBER in properties:
        properties[STATIC_MEMBER] = f"{properties[STATIC_MEMBER]}-{process.number}"
    return settings.model_copy(
        update={
            "memory": _memory(settings.memory, process.of),
            "rate_limit": _rate_limit(settings.rate_limit, process),
            "kafka": settings.kafka.model_copy(update={"properties": properties}),
        }
    )


def _memory(memory: Memory, of: int) -> Memory:
    return memory.model_copy(
        update={
            "max_records_in_progress": max(LEAST_RECORDS, memory.max_records_in_progress // of),
            "max_bytes": max(LEAST_BYTES, memory.max_bytes // of),
        }
    )


def _rate_limit(rate_limit: RateLimit, process: Process) -> RateLimit:
    """An equal share; the first process gets what is left over. The group's limit is divided by its members instead."""
    if rate_limit.scope == "group":
        return rate_limit
    share, rest = divmod(rate_limit.requests, process.of)
    return rate_limit.model_copy(update={"requests": share + (rest if process.number == 0 else 0)})
