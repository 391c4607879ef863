"""`schema`: the JSON Schemas of the configuration files."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from worker.cli.options import UnusedConfigOption


class Kind(StrEnum):
    """The kinds of configuration file."""

    WORKER = "worker"
    MAPPING = "mapping"


def schema(
    kind: Annotated[
        Kind, typer.Argument(metavar="worker|mapping", help="The kind of file: worker.yaml or a mapping.")
    ],
    config: UnusedConfigOption = None,
) -> None:
    """Print the JSON Schema of a configuration file, for editors.

    Start the file with `# yaml-language-server: $schema=FILE` so that editors complete and check it.
    """
    import json

    typer.echo(json.dumps(_schema(kind), indent=2, ensure_ascii=False))


def _schema(kind: Kind) -> dict[str, object]:
    if kind is Kind.WORKER:
        from worker.settings import Settings

        return Settings.json_schema()
    from worker.mapping.files.rules import json_schema

    return json_schema()
