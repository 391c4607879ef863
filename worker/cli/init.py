"""`init`: the starter configuration, or a draft from the records of a real topic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.lines import print_line
from worker.cli.options import ConfigOption, named_config
from worker.documents.problems import ConfigError

if TYPE_CHECKING:
    from worker.settings import Settings


def init(
    context: typer.Context,
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    from_topic: Annotated[
        str | None,
        typer.Option(
            metavar="TOPIC",
            help="Draft a mapping and fixtures from the newest records of this topic. Joins no group.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --from-topic: how many records to read.")
    ] = 500,
    config: ConfigOption = None,
) -> None:
    """Write a commented starter configuration: settings, a mapping, a fixture, a Python mapper.

    With --from-topic: a mapping with a rule for each kind of event in a real topic, and a fixture for each, with values
    that are made up. Everything uncertain is marked `# check:`. No file is replaced.

    Example: pipelines-worker init --from-topic orders
    """
    if from_topic is not None:
        if force:
            raise typer.BadParameter("--from-topic replaces no files", param_hint="--force")
        _draft(directory / "config", from_topic, limit, named_config(context, config, environ=True))
        return
    files = _starter()
    there = [name for name in files if (directory / name).exists()]
    if there and not force:
        for name in there:
            print_line(f"{directory / name} already exists", err=True)
        typer.echo("nothing was written; --force replaces existing files", err=True)
        raise typer.Exit(2)
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
        typer.echo(directory / name)
    typer.echo(err=True)
    print_line(f"Next, in {directory}: pipelines-worker check, pipelines-worker test", err=True)


def _draft(folder: Path, topic: str, limit: int, config: Path | None) -> None:
    from worker.pipeline.ports import SourceFailed
    from worker.programs.drafting import DraftError, read_sample, write_draft
    from worker.programs.kafka_tokens import use_tokens

    settings = _settings(folder, topic, config)
    if problems := use_tokens(settings):
        raise ConfigError(problems)
    try:
        records = read_sample(settings, topic, limit)
        written = write_draft(folder, topic, records, settings)
    except SourceFailed as error:
        typer.echo(f"kafka: {error}", err=True)
        raise typer.Exit(1) from None
    except DraftError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    for path in written:
        typer.echo(path)
    *_, mapping_file, _ = written
    typer.echo(err=True)
    count = "1 record" if len(records) == 1 else f"{len(records):,} records"
    print_line(f"Drafted from {count}. Look at each `# check:` in {mapping_file}.", err=True)
    print_line(f"Next, in {folder.parent}:", err=True)
    print_line("pipelines-worker check, pipelines-worker test,", 2, err=True)
    print_line("pipelines-worker demo --config config/worker.yaml", 2, err=True)


def _settings(folder: Path, topic: str, config: Path | None) -> Settings:
    """Settings with the brokers: of --config, of the folder, or the defaults and `KAFKA_BOOTSTRAP_SERVERS`."""
    from worker.programs.configuration import load_mappings
    from worker.programs.starter import starter_folder
    from worker.settings import load_settings

    existing = folder / "worker.yaml"
    if config is None and not existing.exists():
        return load_settings(starter_folder() / "worker.yaml", os.environ, needs_key=False)
    settings = load_settings(config or existing, os.environ, needs_key=False)
    if existing.exists() and list(folder.glob("mappings/*.yaml")):
        own = settings if config is None else load_settings(existing, os.environ, needs_key=False)
        claimed = load_mappings(own).file_of(topic)
        if claimed is not None:
            typer.echo(f"{claimed.document.file} already maps {topic}; nothing was written", err=True)
            raise typer.Exit(1)
    return settings


def _starter() -> dict[str, bytes]:
    """The files to write, by their path inside the directory."""
    from worker.programs.starter import starter_folder

    root = starter_folder()
    found = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"config/{path.relative_to(root).as_posix()}": path.read_bytes() for path in found}
