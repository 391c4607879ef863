"""`map --explain` and fixtures: what a call does not do because of its age, and times of the future."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.program import Cli

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [people]
rules:
  - when: type == 'known'
    call: identify
    userId: id
    timestamp: at
    traits: data
  - {when: type == 'viewed', call: page, name: "'Home'", anonymousId: id, timestamp: at}
"""

FIXTURE = """\
- name: {name}
  topic: people
  event: {{type: viewed, id: a-1, at: "2026-11-21T10:00:00Z"}}
  calls: [{{type: page, anonymousId: a-1, name: Home, timestamp: "{sent}"}}]
"""


@pytest.fixture(autouse=True)
def configuration(write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/people.yaml", MAPPING)


def explained(cli: Cli, event: str) -> list[str]:
    done = cli("map", "--explain", stdin=event.encode())
    assert done.code == 0
    return [
        line.split(maxsplit=1)[1]
        for line in done.out.splitlines()
        if line.startswith(("  remark", "  warning"))
    ]


def test_an_old_call_is_remarked_by_its_kind(cli: Cli) -> None:
    assert explained(cli, '{"type": "viewed", "id": "a", "at": "2020-01-01T00:00:00Z"}') == [
        "older than 72 hours: starts no campaign",
        "anonymous and older than 30 days: not merged into a person",
    ]
    assert explained(cli, '{"type": "known", "id": "a", "at": "2020-01-01T00:00:00Z"}') == [
        "over a day old: changes nothing if the profile has seen a later update"
    ]


def test_a_young_call_has_no_remark(cli: Cli) -> None:
    now = datetime.now(UTC).isoformat()
    for kind in ("viewed", "known"):
        assert explained(cli, f'{{"type": "{kind}", "id": "a", "at": "{now}"}}') == []


def test_an_identifier_among_the_traits_is_a_warning(cli: Cli) -> None:
    (warning,) = explained(cli, '{"type": "known", "id": "a", "data": {"cio_id": "c"}}')
    assert warning.startswith("a trait `id` or `cio_id` came with the data")


def test_only_a_fixture_with_a_timestamp_replaces_a_time_of_the_future(cli: Cli, write: Write) -> None:
    at = "2026-11-21T10:00:00.000Z"
    write("config/tests/without.yaml", FIXTURE.format(name="without", sent=at))
    assert cli("test").code == 0
    record_time = "2026-11-21T09:54:00.000Z"
    late = FIXTURE.format(name="with", sent=record_time) + f'  timestamp: "{record_time}"\n'
    write("config/tests/with.yaml", late)
    assert cli("test").code == 0
    write("config/worker.yaml", "limits: {future: 6m}\n")
    assert cli("test").code == 1
    write("config/worker.yaml", "limits: {future: null}\n")
    assert cli("test").code == 1


def test_a_limit_is_reported_or_rejects_as_the_settings_say(cli: Cli, write: Write) -> None:
    event = b'{"type": "known", "id": "%s", "data": {}}' % (b"u" * 151)
    assert cli("map", stdin=event).code == 0
    write("config/worker.yaml", "limits: {profile: reject}\n")
    done = cli("map", stdin=event)
    assert done.code == 1
    assert '"reason":"LIMIT_EXCEEDED"' in done.out.replace(" ", "")
    write("config/worker.yaml", "limits: {profile: refuse}\n")
    assert cli("check").code == 1
