"""A replay of 1,000 dead letters of mixed age says beforehand what Customer.io, played by the emulator, does."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.dead_letters import dead_letter_record
from tests.support.dlq_command import Dlq
from tests.support.worker_process import Site
from worker.customerio.advice import Remark
from worker.emulator import Emulator
from worker.emulator.effects import Effect

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

LETTERS = 1_000
PEOPLE = 50
NOW = datetime.now(UTC)

MAPPING = """\
topics: [{topic}]
rules:
  - when: kind == 'current'
    calls:
      - {{call: identify, userId: who, timestamp: at, traits: {{n: n}}}}
      - {{call: group, groupId: team, timestamp: at, traits: {{n: n}}}}
  - {{when: kind == 'bought', call: track, event: Bought, userId: {user}, timestamp: at}}
  - {{when: kind == 'viewed', call: page, name: "'Home'", anonymousId: {user}, timestamp: at}}
  - {{when: kind == 'known', call: identify, userId: {user}, timestamp: at, traits: {{n: n}}}}
  - {{when: kind == 'team', call: group, groupId: {team}, timestamp: at, traits: {{n: n}}}}
"""

EVENT_HOURS = (0, 1, 71, 73, 400, 719, 721, 2000)
"""Ages of events, on both sides of 72 hours and of 30 days."""

SAME = {
    Remark.MAY_START_CAMPAIGNS: Effect.CAMPAIGNS_MAY_START,
    Remark.STARTS_NO_CAMPAIGN: Effect.NO_CAMPAIGN,
    Remark.MAY_BE_IGNORED: Effect.UPDATE_IGNORED,
    Remark.NOT_MERGED: Effect.NOT_MERGED,
}


def ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


def letter(n: int) -> dict[str, Any]:
    """Event `n`. Even people, and their teams, get a current update later: older ones of any age are then ignored.

    The updates of the others are younger than `--stale-after` and come in the order of time.
    """
    kind = ("bought", "viewed", "known", "team")[n % 4]
    person = n // 4 % PEOPLE
    if kind in {"known", "team"}:
        hours = 1 + n % 300 if person % 2 == 0 else 20 - 15 * n / LETTERS
    else:
        hours = EVENT_HOURS[n // 4 % len(EVENT_HOURS)]
    return event(kind, person, n, hours)


def event(kind: str, person: int, n: int, hours: float) -> dict[str, Any]:
    return {"kind": kind, "who": f"p-{person}", "team": f"t-{person}", "n": n, "at": ago(hours)}


def foretold(table: dict[str, int]) -> dict[Remark, tuple[int, int]]:
    """The remarks in the table of a dry run: calls, and people."""
    found = {}
    for remark in Remark:
        ((row, calls),) = [(row, n) for row, n in table.items() if remark in row]
        people = re.search(r"([\d,]+) (?:person|people)", row)
        assert people, row
        found[remark] = calls, int(people[1].replace(",", ""))
    return found


async def test_a_source_topic_that_is_gone_is_said_and_fails_nothing(site: Site) -> None:
    site.mapping = MAPPING.format(topic=f"{site.topic}, gone-topic", user="who", team="team")
    value = json.dumps(event("known", 0, 0, 1)).encode()
    millis = int(NOW.timestamp() * 1000)
    record = dead_letter_record(origin=("gone-topic", 0, 7), value=value, key=b"p-0", millis=millis)
    site.kafka.append(site.dead_letters, 0, [value], key=b"p-0", headers=[*(record.headers() or [])])
    done = await Dlq(site)("replay", "--dry-run")
    assert done.code == 0
    assert "gone-topic was not searched for later records" in unwrapped(done.err)
    assert "would be delivered (1 calls)" in done.out


def unwrapped(printed: str) -> str:
    return " ".join(printed.split())


@pytest.mark.timeout(240)
async def test_a_replay_says_beforehand_what_becomes_of_a_thousand_letters_of_mixed_age(
    site: Site, emulator: Emulator
) -> None:
    dlq = Dlq(site)
    site.change("dead_letters", halt_after_consecutive=10**9, halt_above_ratio=1.0)
    site.mapping = MAPPING.format(topic=site.topic, user="nobody", team="none")
    events = [letter(n) for n in range(LETTERS)]
    events += [event("current", person, LETTERS + person, 0) for person in range(0, PEOPLE, 2)]
    ends = [0, 0]
    places = []
    for each in events:
        partition = int(each["who"][2:]) // 2 % 2
        site.kafka.enqueue(site.topic, partition, json.dumps(each).encode(), key=each["who"].encode())
        places.append(f"{site.topic}:{partition}:{ends[partition]}")
        ends[partition] += 1
    site.kafka.flush()
    assert await site.run_job() == 0
    assert await dlq.waiting() == {"MISSING_ID": LETTERS}
    assert emulator.received.effects.view() == {}

    site.mapping = MAPPING.format(topic=site.topic, user="who", team="team")
    _, table = await dlq.replayed("--dry-run", "--allow-stale")
    said = foretold(table)
    assert emulator.received.effects.view() == {}
    assert Remark.MAY_BE_IGNORED in unwrapped((await dlq("show", places[2])).out)
    last_of_an_odd_key = max(n for n in range(LETTERS) if n // 4 % PEOPLE == 1)
    assert Remark.MAY_BE_IGNORED not in unwrapped((await dlq("show", places[last_of_an_odd_key])).out)
    code, table = await dlq.replayed("--allow-stale", "--yes")
    assert (code, table["delivered"]) == (0, LETTERS)

    happened = emulator.received.effects.view()
    names = {effect.name.lower(): effect for effect in Effect}
    assert {names[name]: (n["calls"], n["people"]) for name, n in happened.items()} == {
        SAME[remark]: counts for remark, counts in said.items()
    }
    assert said[Remark.MAY_START_CAMPAIGNS][0] + said[Remark.STARTS_NO_CAMPAIGN][0] == LETTERS // 2
    # Those of the even people, and of their teams.
    assert said[Remark.MAY_BE_IGNORED] == (LETTERS // 4, PEOPLE)
