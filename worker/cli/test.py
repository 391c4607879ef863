"""`test`: the mapping fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.lines import print_line
from worker.cli.options import ConfigOption, chosen_config, load
from worker.core.near_matches import did_you_mean
from worker.documents.problems import ConfigError

if TYPE_CHECKING:
    from worker.mapping.mappings import Mappings
    from worker.mapping.trying.fixtures import Fixture, FixtureResult


def run_fixtures(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            exists=True,
            help="Fixture files or folders. The default is the folder tests beside worker.yaml.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "-k", metavar="TEXT", help="Run only the fixtures whose name contains this text, in any case."
        ),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write the current results into the fixtures that differ.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a JUnit report for CI servers.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Run the mapping fixtures. Exits with 1 if any differs, or if there are none."""
    config_file = chosen_config(context, config)
    _, mappings = load(config_file, needs_key=False, secrets_by_name=True)
    paths = paths or [fixture_folder(config_file)]
    results = run_all(mappings, paths)
    if not results:
        print_line(f"no fixtures in {', '.join(map(str, paths))}", err=True)
        raise typer.Exit(1)
    if name is not None:
        results = _named(results, name)
    if update:
        _update(mappings, results)
        return
    if junit:
        from worker.cli.junit import write_report

        write_report(junit, results)
    _print(results)
    if name is None:
        _print_coverage(mappings, results)
    raise typer.Exit(0 if all(result.passed for result in results) else 1)


def fixture_files(paths: Sequence[Path]) -> list[Path]:
    """The files of fixtures in these files and folders."""
    return list(_files(paths))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(
                each for each in path.rglob("*") if each.suffix in {".yaml", ".yml"} and not each.is_dir()
            )
        elif path.exists():
            yield path


def fixture_folder(config_file: Path) -> Path:
    """The default folder of fixtures."""
    return config_file.parent / "tests"


def run_all(mappings: Mappings, paths: Sequence[Path]) -> list[FixtureResult]:
    """The results of all fixtures in these files and folders. Raises ConfigError with the problems of all files."""
    from worker.mapping.trying.fixtures import run_fixture

    written = mappings.taking_json()
    return [run_fixture(written, fixture) for fixture in _read(list(_files(paths)))]


def _read(files: Sequence[Path]) -> list[Fixture]:
    """The fixtures of all files. Raises ConfigError with the problems of all files."""
    from worker.documents.files import read_file
    from worker.mapping.trying.fixtures import read_fixtures

    fixtures, problems = [], []
    for file in files:
        try:
            fixtures += read_fixtures(read_file(file), str(file))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return fixtures


def _named(results: Sequence[FixtureResult], text: str) -> list[FixtureResult]:
    """The results of the fixtures whose name contains a text."""
    found = [each for each in results if text.casefold() in each.fixture.name.casefold()]
    if not found:
        hint = did_you_mean(text, [each.fixture.name for each in results])
        print_line(f"no fixture has '{text}' in its name" + (f" ({hint})" if hint else ""), err=True)
        raise typer.Exit(1)
    return found


def _update(mappings: Mappings, results: Sequence[FixtureResult]) -> None:
    from worker.mapping.trying.fixtures import updated

    unknown = [each for each in results if mappings.unknown_topic(each.fixture.record.topic())]
    if unknown:  # the expectations of these fixtures are not wrong
        _print(unknown)
        raise typer.Exit(1)
    changed = [result for result in results if not result.passed]
    names = sorted({_file(result) for result in changed})
    for name in names:
        source = Path(name).read_text(encoding="utf-8")
        text = updated(source, [result for result in results if _file(result) == name])
        Path(name).write_text(text, encoding="utf-8")
        typer.echo(name)
    _print_changes(changed)
    done = "updated; review the diff before you commit it" if names else "no fixture differs"
    typer.echo(done, err=True)


def _print_changes(changed: Sequence[FixtureResult]) -> None:
    """Print what was expected and what is now expected, first where that is less than before."""
    from worker.mapping.trying.fixtures import expected_outcome

    def is_loss(result: FixtureResult) -> bool:
        return not result.outcome.startswith(expected_outcome(result.fixture)) and result.outcome != "sent"

    for result in sorted(changed, key=lambda result: not is_loss(result)):
        was, color = expected_outcome(result.fixture), None
        said = "its calls are different now"
        if is_loss(result):
            said, color = f"is {result.outcome} now, was {was}", "red"
        elif was != "sent":
            said = f"is {result.outcome} now, was {was}"
        print_line(f"{result.fixture.at}: {result.fixture.name}: {said}", fg=color, err=True)


def _file(result: FixtureResult) -> str:
    return result.fixture.at.rpartition(":")[0]


_COLORS = {"-": "red", "+": "green", "@": "cyan"}


def _print(results: Sequence[FixtureResult]) -> None:
    differing = [result for result in results if not result.passed]
    for result in differing:
        print_line(f"{result.fixture.at}: {result.fixture.name}", bold=True)
        for line in result.diff.splitlines():
            print_line(line, 2, fg=_COLORS.get(line[:1]))
        print_line(f"rule: {result.rule or 'none'}", 2)
        typer.echo()
    passed = len(results) - len(differing)
    typer.echo(f"{passed} passed, {len(differing)} differ" if differing else f"{passed} passed", err=True)


def _print_coverage(mappings: Mappings, results: Sequence[FixtureResult]) -> None:
    from worker.mapping.trying.coverage import never_filled, rules_never_hit

    rules = sum(len(file.rules) for file in mappings.files)
    missed = rules_never_hit(mappings, results)
    typer.echo(f"{rules - len(missed)} of {rules} rules are covered", err=True)
    if missed:
        print_line(f"no fixture reaches: {', '.join(missed)}", err=True)
    for file, fields in groupby(never_filled(mappings, results), lambda each: each.file):
        print_line(f"{file}: no fixture fills {', '.join(map(str, fields))}", err=True)
