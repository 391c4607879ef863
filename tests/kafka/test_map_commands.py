"""`map` on records of a real Kafka, and the place of a rejection in the dead letter of the same record."""

from __future__ import annotations

import pytest

from tests.support.dlq_command import Dlq
from tests.support.ledger import header
from tests.support.worker_process import Site

pytestmark = pytest.mark.kafka

MAPPING = """\
topics: [{topic}]
rules:
  - when: type == 'happened'
    call: track
    event: Something Happened
    userId: person
    properties: {{share: "divide(part, whole)"}}
"""
VALUES = [
    b'{"type": "happened", "person": "p-1", "part": 1, "whole": 2}',
    b'{"type": "happened", "person": "p-1", "part": 1, "whole": 0}',
    b'{"type": "other"}',
    None,
]


async def test_records_are_shown_with_position_rule_and_place_as_their_dead_letters_have_it(
    site: Site,
) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    dlq = Dlq(site)
    site.kafka.append(site.topic, 0, VALUES, key=b"p-1")

    mapped = dlq.look("map", "--from-topic", site.topic)
    assert mapped.code == 1
    sent, rejected, other, tombstone = mapped.lines
    assert [line["record"] for line in mapped.lines] == [f"{site.topic}:0:{n}" for n in range(4)]
    assert sent["rule"] == rejected["rule"]
    assert (other["ignored"], tombstone["ignored"]) == ("no rule matched", "tombstone")
    assert mapped.err == "4 records: 1 sent as 1 call, 2 ignored, 1 rejected\n"
    detail = rejected["rejected"]["detail"]
    assert f"rule {rejected['rule']}, track, properties.share at " in detail

    explained = dlq.look("map", "--explain", f"{site.topic}:0:1")
    assert explained.code == 1
    assert "is a failure: divide(): by zero" in explained.out
    for place, why in (
        (f"{site.topic}:0:99", "has the offsets from 0 up to 4"),
        (f"{site.topic}:99:0", "numbered from 0"),
    ):
        missing = dlq.look("map", "--explain", place)
        assert (missing.code, missing.out) == (1, "")
        assert f"no record at {place}: " in missing.err
        assert why in missing.err
    unknown = dlq.look("map", "--from-topic", f"{site.topic}x")
    assert unknown.code == 2
    assert f"did you mean '{site.topic}'?" in unknown.err

    assert await site.run_job() == 0
    (dead_letter,) = site.ledger.dead_letters()
    assert header(dead_letter, "dlq.rule") == rejected["rule"]
    assert header(dead_letter, "__connect.errors.exception.message") == f"EXPRESSION_FAILED: {detail}"
    shown = (await dlq("show", f"{site.topic}:0:1")).out
    assert detail in shown


async def test_what_a_change_of_the_mapping_changes_for_the_records_of_a_topic(site: Site) -> None:
    site.mapping = MAPPING.format(topic=site.topic)
    old = site.folder / "old.yaml"
    old.write_text(
        site.mapping.replace("Something Happened", "Happened").replace('"divide(part, whole)"', "part")
        + "  - {when: type == 'other', call: identify, userId: person, traits: {kind: type}}\n"
        + "  - {when: _kafka.tombstone, call: delete_user, userId: _kafka.key}\n"
    )
    other = b'{"type": "other", "person": "p-1"}'
    site.kafka.append(site.topic, 0, [*VALUES[:2], other, None], key=b"p-1")

    changed = Dlq(site).look("map", "--diff", str(old), "--from-topic", site.topic)

    assert changed.code == 1
    assert changed.out.splitlines() == [
        f"{site.topic}:0:0",
        "  - call gone: track Happened",
        "  + call added: track Something Happened",
        f"{site.topic}:0:1",
        "  newly rejected with EXPRESSION_FAILED; was sent",
        "  - call gone: track Happened",
        f"{site.topic}:0:2",
        "  newly ignored (no rule matched); was sent",
        "  - call gone: identify",
        f"{site.topic}:0:3",
        "  newly ignored (tombstone); was sent",
        "  - call gone: track User Deleted",
    ]
    assert changed.err == (
        "4 of 4 records changed: 2 newly ignored, 1 newly rejected, 1 with calls added, 1 with calls gone\n"
    )
    newest = Dlq(site).look("map", "--diff", str(old), "--from-topic", site.topic, "--limit", "1")
    assert newest.out.startswith(f"{site.topic}:0:3\n")
    unchanged = Dlq(site).look(
        "map", "--diff", str(site.folder / "config" / "mappings" / "events.yaml"), f"{site.topic}:0:0"
    )
    assert (unchanged.code, unchanged.out, unchanged.err) == (0, "", "0 of 1 record changed\n")
