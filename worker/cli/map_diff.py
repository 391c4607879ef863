"""`map --diff`: what a change of the mapping changes for events, for a review before it is deployed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from worker.cli.lines import print_line
from worker.cli.verdicts import Outcomes
from worker.core.printable import printable
from worker.mapping.mappings import Mappings
from worker.mapping.trying.differences import difference, title
from worker.programs.configuration import load_mappings

if TYPE_CHECKING:
    from worker.cli.verdicts import MappedRecords
    from worker.mapping.trying.differences import Difference
    from worker.settings import Settings

_COLORS = {"-": "red", "+": "green", "@": "cyan"}


def old_mappings(settings: Settings, path: Path, topic: str, *, taking_json: bool) -> Mappings:
    """The older version: one file, or all of a folder. It must name the topic.

    Args:
        settings: the current ones.
        path: the file or folder.
        topic: of the records.
        taking_json: whether the records' values are JSON, whatever the topic's format.
    """
    pattern = str(path / "*.yaml") if path.is_dir() else str(path)
    old = load_mappings(settings.model_copy(update={"mappings": [pattern]}))
    if said := old.unknown_topic(topic):
        raise typer.BadParameter(f"{path}: {said}", param_hint="--diff")
    return old.taking_json() if taking_json else old


def print_differences(mapped: MappedRecords, old: Mappings) -> int:
    """Print what changes for each record; returns how many the current mappings reject."""
    outcomes, changes, total = Outcomes(), Counter[str](), 0
    for record in mapped:
        total += 1
        new = mapped.mappings.explain(record, mapped.ids)
        outcomes.add(new)
        found = difference(old.explain(record, mapped.ids), new)
        if found is not None:
            typer.secho(mapped.place(record), bold=True)
            _print(found)
            changes.update(_kinds(found))
            changes["changed"] += 1
    counts = [f"{changes[kind]:,} {words}" for kind, words in _KINDS.items() if changes[kind]]
    what = "record" if mapped.of_kafka else "event"
    said = f"{changes['changed']:,} of {total:,} {what}{'' if total == 1 else 's'} changed"
    print_line(f"{said}: {', '.join(counts)}" if counts else said, err=True)
    return outcomes.rejected


_KINDS = {
    "sent": "newly sent",
    "ignored": "newly ignored",
    "rejected": "newly rejected",
    "added": "with calls added",
    "gone": "with calls gone",
    "different": "with calls that are different",
    "reason": "ignored or rejected for another reason",
}


def _kinds(found: Difference) -> list[str]:
    """What kinds of change a record has. That a record is sent newly or no longer says which calls are."""
    if found.newly is not None:
        return [found.newly]
    kinds = {"added": found.added, "gone": found.gone, "different": found.changed}
    return [kind for kind, calls in kinds.items() if calls] or ["reason"]


def _print(found: Difference) -> None:
    if found.was != found.now:
        newly = "newly " if found.newly else ""
        print_line(
            f"{newly}{found.now}; was {found.was}", 2, fg="red" if found.newly == "rejected" else "cyan"
        )
    for call in found.gone:
        print_line(f"- call gone: {printable(title(call))}", 2, fg="red")
    for call in found.added:
        print_line(f"+ call added: {printable(title(call))}", 2, fg="green")
    for call, lines in found.changed:
        print_line(f"call different: {printable(title(call))}", 2)
        for line in lines:
            print_line(printable(line), 4, fg=_COLORS.get(line[:1]))
