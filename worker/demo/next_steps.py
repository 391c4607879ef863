"""The commands to try while the demo goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.demo.configuration import write_program
from worker.demo.events import ExpectedOutcome, Sample


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What to try while a demo goes on.

    Attributes:
        bootstrap_servers: the address of the embedded cluster.
        config: the settings that the commands need.
        program: this program with these settings.
        commands: each with what it shows: the words behind the program's name, without `--config`.
    """

    bootstrap_servers: str
    config: Path
    program: Path
    commands: list[tuple[str, list[str]]]


def next_steps(
    bootstrap_servers: str, config: Path, samples: Sequence[Sample], places: Mapping[str, str]
) -> NextSteps:
    """The commands.

    Args:
        bootstrap_servers: the address of the embedded cluster.
        config: the demo's settings.
        samples: that were produced. The commands are about one that was delivered, if any was.
        places: TOPIC:PARTITION:OFFSET of a record of each topic.
    """
    example = next((each for each in samples if each.outcome is ExpectedOutcome.DELIVERED), samples[-1])
    topic = example.topic
    return NextSteps(
        bootstrap_servers,
        config,
        write_program(config.parent, config),
        [
            ("What could not be delivered, and why", ["dlq", "list"]),
            (
                "What a replay of it would do now; nothing is sent",
                ["dlq", "replay", "--dry-run"],
            ),
            (
                "What is sent for the newest records of a topic",
                ["map", "--from-topic", topic, "--limit", "3"],
            ),
            ("Where an event is: finished or not, its calls", ["trace", *_traced(example, places)]),
            (
                "A mapping drafted from the records of a topic, in a new folder",
                ["init", "my-mapping", "--from-topic", topic],
            ),
        ],
    )


def _traced(example: Sample, places: Mapping[str, str]) -> list[str]:
    """By key where one can be typed, and the record is not older than `trace` searches; otherwise by its place."""
    key = (example.key or b"").decode(errors="replace")
    if key.isprintable() and key and not example.record_timestamp:
        return ["--topic", example.topic, "--key", key]
    return [places[example.topic]]
