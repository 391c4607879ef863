"""`dlq`: list, show, resolve and replay dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.dlq_options import (
    ReasonOption,
    SinceOption,
    StageOption,
    TopicOption,
    UntilOption,
    duration,
    filters,
    rate,
)
from worker.cli.helping import HelpCommand, HelpGroup, examples
from worker.cli.options import ConfigOption, chosen_config, coordinates

HANDLE = "TOPIC:PARTITION:OFFSET"

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

app = typer.Typer(
    cls=HelpGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="List dead letters, show why they failed, and send them again or mark them as resolved.",
    epilog=examples("dlq list"),
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command(
    cls=HelpCommand,
    name="list",
    epilog=examples(
        "dlq list",
        "dlq list --since 2h --json",
        "dlq list --resolved",
    ),
)
def list_dead_letters(
    context: typer.Context,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    resolved: Annotated[
        bool,
        typer.Option("--resolved", help="List what is resolved instead, with who resolved it, how and when."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    config: ConfigOption = None,
) -> None:
    """Count the waiting dead letters by reason, stage, topic and rule. Changes nothing.

    Each group names its newest dead letter, for `dlq show`.
    """
    chosen = filters(reason, stage, topic, since, until)
    from worker.cli.dlq_list import print_list

    print_list(chosen_config(context, config), chosen, as_json=as_json, resolved=resolved)


@app.command(
    cls=HelpCommand,
    name="show",
    epilog=examples(
        "dlq show customerio.dead-letters:3:1042",
        "dlq show orders:3:77812 --reveal",
    ),
)
def show_dead_letter(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar=HANDLE,
            help="The dead letter, as `dlq list` names it. For the position of a source record in another topic, the "
            "whole dead-letter topic is searched.",
        ),
    ],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Do not mask personal data: show values, keys, headers and ids.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Do not cut large values.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show one dead letter: its source, what the current mapping makes of it, and why it failed."""
    partition, offset = coordinates(place, HANDLE)
    from worker.cli.dlq_show import print_letter

    print_letter(chosen_config(context, config), partition, offset, reveal=reveal, full=full)


@app.command(
    cls=HelpCommand,
    name="resolve",
    epilog=examples(
        "dlq resolve customerio.dead-letters:3:1042 --note test",
        "dlq resolve --reason INVALID_JSON --until 7d --yes",
        "dlq resolve --undo customerio.dead-letters:3:1042",
    ),
)
def resolve_dead_letters(
    context: typer.Context,
    handles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar=HANDLE,
            help="Dead letters, as `dlq list` names them, or their source records. All older dead letters of the same "
            "source record are marked, too.",
            show_default=False,
        ),
    ] = None,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Select all dead letters.")] = False,
    note: Annotated[
        str, typer.Option(metavar="TEXT", help="Why. It is kept, and shown by `dlq list --resolved`.")
    ] = "",
    undo: Annotated[
        bool, typer.Option("--undo", help="Do the opposite: dead letters that are resolved wait again.")
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Mark dead letters as resolved without sending them. Takes handles, filters, or --all.

    Nothing is deleted. Without a terminal to ask on, --yes is required.
    """
    chosen = filters(reason, stage, topic, since, until)
    from worker.cli.dlq_resolve import print_resolve
    from worker.programs.resolve import ResolveRequest

    if bool(handles) + bool(chosen) + everything != 1:
        raise typer.BadParameter(f"takes either {HANDLE}, or filters such as --reason, or --all")
    wanted = [coordinates(handle, HANDLE) for handle in handles or ()]
    print_resolve(chosen_config(context, config), ResolveRequest(wanted, chosen, undo), note, yes=yes)


@app.command(
    cls=HelpCommand,
    name="replay",
    epilog=examples(
        "dlq replay --dry-run --reason MISSING_ID",
        "dlq replay --reason MISSING_ID --limit 10",
        "dlq replay --reason MISSING_ID --rate 20/s --yes",
    ),
)
def replay_dead_letters(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would happen; send and write nothing.")
    ] = False,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Replay at most this many, the first ones in the topic."),
    ] = None,
    rate_text: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="N/s",
            help="Requests per second. Leaves the rest of the rate limit to a live worker. By default the configured "
            "rate limit applies.",
        ),
    ] = None,
    include_replayed: Annotated[
        bool,
        typer.Option(
            "--include-replayed", help="Include dead letters that already failed in max_replays replays."
        ),
    ] = False,
    stale_after: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="Leave older identify, group and destructive calls alone: Customer.io probably ignores an old "
            "identify or group, and an old destructive call undoes a newer state.",
        ),
    ] = "24h",
    allow_stale: Annotated[
        bool, typer.Option("--allow-stale", help="Send such calls regardless of their age.")
    ] = False,
    max_age: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Leave dead letters of older records alone.")
    ] = None,
    skip_destructive: Annotated[
        bool,
        typer.Option("--skip-destructive", help="Leave calls alone that delete, suppress or merge."),
    ] = False,
    yes: YesOption = False,
    config: ConfigOption = None,
) -> None:
    """Send dead letters through the current mapping again, with the same message ids as the first time.

    Dead letters that are delivered, or ignored by the mapping, are marked as resolved; those that fail again become
    new dead letters. An interrupted replay continues where it stopped. Exit code 1 if any failed again.
    """
    from time import time

    from worker.cli.dlq_replay import ReplayRequest, print_replay
    from worker.dead_letters.selection import Selection

    selection = Selection(
        filters(reason, stage, topic, since, until),
        now=time(),
        max_age=None if max_age is None else duration(max_age, "--max-age"),
        stale_after=duration(stale_after, "--stale-after"),
        allow_stale=allow_stale,
        skip_destructive=skip_destructive,
        limit=limit,
    )
    requests = None if rate_text is None else rate(rate_text)
    request = ReplayRequest(selection, requests, include_replayed=include_replayed, dry_run=dry_run, yes=yes)
    print_replay(chosen_config(context, config), request)
