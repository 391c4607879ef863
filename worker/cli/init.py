"""`init`: the starter configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.lines import print_line
from worker.cli.options import UnusedConfigOption


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    config: UnusedConfigOption = None,
) -> None:
    """Write a commented starter configuration: settings, a mapping, a fixture, a Python mapper."""
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


def _starter() -> dict[str, bytes]:
    """The files to write, by their path inside the directory."""
    from worker.programs.starter import starter_folder

    root = starter_folder()
    found = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"config/{path.relative_to(root).as_posix()}": path.read_bytes() for path in found}
