"""`dlq`: list, show and replay dead letters."""

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
from worker.cli.options import ConfigOption, chosen_config, coordinates

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Dead letters: list what failed and why, and send it again.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_dead_letters(
    context: typer.Context,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    config: ConfigOption = None,
) -> None:
    """Count the waiting dead letters by reason, stage, topic and rule. Changes nothing."""
    chosen = filters(reason, stage, topic, since, until)
    from worker.cli.dlq_list import print_list

    print_list(chosen_config(context, config), chosen, as_json=as_json)


@app.command("show")
def show_dead_letter(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC:PARTITION:OFFSET",
            help="The position of the dead letter in the dead-letter topic, or of its source record in another topic; "
            "then the whole dead-letter topic is searched.",
        ),
    ],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Do not mask personal data: show values, keys, headers and ids.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Show one dead letter: its source, why it failed, and what the current mapping makes of it."""
    partition, offset = coordinates(place, "TOPIC:PARTITION:OFFSET")
    from worker.cli.dlq_show import print_letter

    print_letter(chosen_config(context, config), partition, offset, reveal=reveal)


@app.command("replay")
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
        int | None, typer.Option(min=1, help="Replay at most this many, the first ones in the topic.")
    ] = None,
    rate_text: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="N/s",
            help="Requests per second; leaves the rest of the rate limit to a live worker. [default: rate_limit]",
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
    config: ConfigOption = None,
) -> None:
    """Send dead letters through the current mapping again, with the same message ids as the first time.

    Dead letters that are delivered, or ignored by the mapping, are marked as resolved; those that fail again become new
    dead letters. An interrupted replay continues where it stopped. Exit code 1 if any failed again.
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
    )
    requests = None if rate_text is None else rate(rate_text)
    request = ReplayRequest(selection, limit, requests, include_replayed=include_replayed, dry_run=dry_run)
    print_replay(chosen_config(context, config), request)
