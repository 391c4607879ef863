"""The form of `--help`: whole sentences in the list of commands, and an example below each command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    import typer


class HelpGroup(TyperGroup):
    """A group of commands whose list shows the first sentence of each command's help, in as many lines as it takes."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the list of commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _first_sentence(each)) for name, each in found if each is not None and not each.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _first_sentence(command: Any) -> str:
    text = " ".join((command.help or "").split())
    sentence, point, _ = text.partition(". ")
    return sentence + point.strip()


def examples(*lines: str) -> str:
    """The end of a command's help: command lines to copy."""
    # A paragraph that begins with \b is printed as it stands.
    return "\n".join(["\b", "Examples:" if len(lines) > 1 else "Example:", *(f"  {line}" for line in lines)])
