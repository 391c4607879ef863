"""`functions`: the functions of the expression language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.options import UnusedConfigOption

if TYPE_CHECKING:
    from worker.mapping.expressions.functions import Function


def functions(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Explain the functions with this in their name. Lists all if omitted."
        ),
    ] = None,
    config: UnusedConfigOption = None,
) -> None:
    """List the functions of the expression language, or explain one with an example."""
    from worker.cli.lines import print_line
    from worker.mapping.expressions.foreign_names import function_hint
    from worker.mapping.expressions.functions import TABLE

    if name is None:
        for each in sorted(TABLE):
            print_line(f"{TABLE[each].signature}: {TABLE[each].meaning}")
        return
    wanted = name.strip().lower().removesuffix("()")
    found = [wanted] if wanted in TABLE else sorted(each for each in TABLE if wanted and wanted in each)
    if not found:
        hint = function_hint(wanted) or "`pipelines-worker functions` lists all"
        raise typer.BadParameter(f"there is no function '{name}' ({hint})")
    for each in found:
        _explain(TABLE[each])


def _explain(function: Function) -> None:
    from worker.cli.lines import print_line

    typer.secho(function.signature, bold=True)
    print_line(f"returns     {function.meaning}", 2)
    print_line(f"example     {function.example}  is  {function.result}", 2)
    print_line(f"other type  {function.wrong_type}", 2)
    if function.fails:
        print_line(f"rejects     EXPRESSION_FAILED: {function.fails}", 2)
