"""`dlq`: what failed, why, and sending it again."""

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
    help="Dead letters: what failed, why, and sending it again.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_letters(
    context: typer.Context,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    config: ConfigOption = None,
) -> None:
    """Count the dead letters that wait, by reason, stage, topic and rule. Changes nothing."""
    wanted = filters(reason, stage, topic, since, until)
    from worker.cli.dlq_list import print_list

    print_list(chosen_config(context, config), wanted, as_json=as_json)


@app.command("show")
def show_letter(
    context: typer.Context,
    place: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC:PARTITION:OFFSET",
            help="Where the letter lies in the dead-letter topic. With another topic: where its record came from; "
            "then the whole dead-letter topic is searched.",
        ),
    ],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show what could be a person, too: values, keys, headers, ids.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Show one dead letter: where it came from, why it failed, what today's mapping makes of it."""
    partition, offset = coordinates(place, "TOPIC:PARTITION:OFFSET")
    from worker.cli.dlq_show import print_letter

    print_letter(chosen_config(context, config), partition, offset, reveal=reveal)


@app.command("replay")
def replay_letters(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would happen: sends nothing, writes nothing.")
    ] = False,
    reason: ReasonOption = None,
    stage: StageOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take so many letters at most, the first ones of the topic.")
    ] = None,
    rate_text: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="N/s",
            help="Requests a second, so that a live worker keeps the rest of the rate limit. [default: rate_limit]",
        ),
    ] = None,
    include_replayed: Annotated[
        bool,
        typer.Option("--include-replayed", help="Also take letters that failed in max_replays replays."),
    ] = False,
    stale_after: Annotated[
        str,
        typer.Option(
            metavar="DURATION",
            help="Leave identify, group and destructive calls alone that are older: they could undo a newer state.",
        ),
    ] = "24h",
    allow_stale: Annotated[
        bool, typer.Option("--allow-stale", help="Send them however old they are.")
    ] = False,
    max_age: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Leave letters of older records alone.")
    ] = None,
    skip_destructive: Annotated[
        bool,
        typer.Option("--skip-destructive", help="Leave alone what would delete, suppress or merge."),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Send dead letters through today's mapping again, under the ids that they would have had at first.

    What is delivered, or ignored by the mapping, is marked as resolved in the dead-letter topic; what fails again
    becomes a new dead letter. Interrupted, it goes on where it stopped. Exit 1 if any failed again.
    """
    from time import time

    from worker.cli.dlq_replay import ReplayRequest, print_replay
    from worker.dead_letters.selection import Selection

    selection = Selection(
        filters(reason, stage, topic, since, until),
        now=time(),
        max_age=None if max_age is None else duration(max_age, "--max-age"),
        stale_after=None if allow_stale else duration(stale_after, "--stale-after"),
        skip_destructive=skip_destructive,
    )
    requests = None if rate_text is None else rate(rate_text)
    request = ReplayRequest(selection, limit, requests, include_replayed=include_replayed, dry_run=dry_run)
    print_replay(chosen_config(context, config), request)
