"""`test` and the pytest plugin: mapping fixtures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.program import ROOT, Cli

Write = Callable[[str, str], Path]

MAPPING = """\
topics: [orders]
rules:
  - when: type == 'order.completed'
    call: track
    event: Order Completed
    userId: customer
  - when: type == 'order.refunded'
    call: track
    event: Order Refunded
    userId: customer
"""

RIGHT = """\
- name: a completed order
  topic: orders
  event: {type: order.completed, customer: a}
  calls:
    - {type: track, event: Order Completed, userId: a}
"""

WRONG = """\
- name: somebody else
  topic: orders
  event: {type: order.completed, customer: a}
  calls:
    - {type: track, event: Order Completed, userId: b}
"""


@pytest.fixture(autouse=True)
def configuration(write: Write) -> None:
    write("config/worker.yaml", "")
    write("config/mappings/orders.yaml", MAPPING)


def test_passing_fixtures_exit_0_and_uncovered_rules_are_named(cli: Cli, write: Write) -> None:
    write("config/tests/orders.yaml", RIGHT)
    done = cli("test")
    assert (done.code, done.out) == (0, "")
    assert "1 passed" in done.err
    assert "1 of 2 rules are covered" in done.err
    assert "no fixture reaches: config/mappings/orders.yaml:7" in done.err


def test_what_differs_is_shown_line_by_line(cli: Cli, write: Write) -> None:
    write("config/tests/orders.yaml", RIGHT + WRONG)
    done = cli("test")
    assert done.code == 1
    assert "config/tests/orders.yaml:6: somebody else" in done.out
    assert '-      "userId": "b"' in done.out
    assert '+      "userId": "a"' in done.out
    assert "rule: config/mappings/orders.yaml:3" in done.out
    assert "1 passed, 1 differ" in done.err


def test_fixtures_can_be_updated(cli: Cli, write: Write) -> None:
    path = write("config/tests/orders.yaml", "# kept\n" + RIGHT + WRONG)
    done = cli("test", "--update")
    assert (done.code, done.out) == (0, "config/tests/orders.yaml\n")
    assert path.read_text().startswith("# kept\n" + RIGHT)
    assert cli("test", "--update").err == "no fixture differs\n"
    assert cli("test").code == 0


def test_files_and_folders_may_be_named(cli: Cli, write: Write) -> None:
    right, wrong = write("more/right.yml", RIGHT), write("more/deep/wrong.yaml", WRONG)
    assert cli("test", right).code == 0
    assert cli("test", wrong).code == 1
    assert "1 passed, 1 differ" in cli("test", "more").err
    assert cli("test", "nothing").code == 2


def test_no_fixtures_at_all_is_an_error(cli: Cli) -> None:
    done = cli("test")
    assert (done.code, done.out) == (1, "")
    assert "no fixtures in config/tests" in done.err


def test_the_problems_of_all_fixture_files_are_reported_together(cli: Cli, write: Write) -> None:
    write("config/tests/a.yaml", "- {topic: orders, event: {}}\n")
    write("config/tests/b.yaml", "- {topic: orders, event: {}, ignord: true}\n")
    done = cli("test")
    assert (done.code, done.out) == (2, "")
    assert "config/tests/a.yaml:1:" in done.err
    assert "config/tests/b.yaml:1:30" in done.err


def test_ci_gets_a_report(cli: Cli, write: Write, tmp_path: Path) -> None:
    write("config/tests/orders.yaml", RIGHT + WRONG)
    assert cli("test", "--junit", "report.xml").code == 1
    suite = ET.parse(tmp_path / "report.xml").getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    assert [case.attrib["name"] for case in suite] == ["a completed order", "somebody else"]
    assert '"userId": "b"' in (suite[1][0].text or "")


def test_what_init_writes_passes_and_covers_every_rule(cli: Cli) -> None:
    assert cli("init", "fresh").code == 0
    done = cli("test", "--config", "fresh/config/worker.yaml")
    assert (done.code, done.out) == (0, "")
    assert "no fixture reaches" not in done.err


def test_pytest_collects_fixtures_and_gives_tests_the_mapping(write: Write, tmp_path: Path) -> None:
    write("conftest.py", 'pytest_plugins = ["worker.testing"]\n')
    write("config/tests/orders.yaml", RIGHT + WRONG)
    write("other/not_a_fixture.yaml", "a: 1\n")
    write(
        "test_orders.py",
        "def test_an_order(map_event):\n"
        "    answer = map_event('orders', {'type': 'order.completed', 'customer': 'a'}, key='k')\n"
        "    assert answer['calls'][0]['userId'] == 'a'\n"
        "    assert map_event('orders', None, key={'id': 1}) == {'ignored': 'tombstone'}\n",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir", tmp_path, tmp_path],
        capture_output=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    out = done.stdout.decode()
    assert "1 failed, 2 passed" in out, out + done.stderr.decode()
    assert '-      "userId": "b"' in out


def test_check_lists_topics_without_events_and_events_without_rules(cli: Cli, write: Write) -> None:
    write("config/mappings/others.yaml", MAPPING.replace("topics: [orders]", "topics: [others, '^shop-.*$']"))
    unmatched = "- name: of no rule\n  topic: shop-1\n  event: {type: unknown}\n  ignored: true\n"
    write("config/tests/orders.yaml", RIGHT + unmatched)
    checked = cli("check")
    assert checked.code == 0
    assert "note: no fixture has an event of 'others'\n" in checked.err
    assert "note: config/tests/orders.yaml:6: no rule matches this event\n" in checked.err
    (result,) = cli("check", "--json").lines
    assert result["ok"]
    assert "no fixture has an event of 'others'" in [note["message"] for note in result["notes"]]
    assert result["topics_without_events"] == ["others"]
    assert result["events_without_rules"] == ["config/tests/orders.yaml:6"]


def test_check_reports_fixtures_of_topics_that_no_mapping_names(cli: Cli, write: Write) -> None:
    write("config/tests/orders.yaml", RIGHT.replace("topic: orders", "topic: order"))
    checked = cli("check")
    assert checked.code == 1
    assert "config/tests/orders.yaml:1: no mapping names the topic 'order'" in checked.out
    assert "did you mean 'orders'?" in checked.out


def test_a_fixture_with_a_pattern_for_its_topic_is_told_which_names_match(cli: Cli, write: Write) -> None:
    write("config/mappings/orders.yaml", MAPPING.replace("[orders]", r"['^orders\.(eu|us)$']"))
    write("config/tests/orders.yaml", RIGHT.replace("topic: orders", r"topic: '^orders\.(eu|us)$'"))
    checked = cli("check")
    assert checked.code == 1
    assert (
        r"config/tests/orders.yaml:1: '^orders\.(eu|us)$' is a pattern: name a topic that it matches such as orders.eu"
        in checked.out
    )


def test_check_maps_each_fixture_once(cli: Cli, write: Write, tmp_path: Path) -> None:
    write(
        "config/counted.py",
        "from pathlib import Path\n"
        "def count(event):\n"
        f"    with Path({str(tmp_path / 'mapped')!r}).open('a') as file:\n"
        "        file.write('x')\n",
    )
    write("config/mappings/orders.yaml", "topics: [orders]\nrules:\n  - mapper: counted:count\n")
    write("config/tests/orders.yaml", "- {topic: orders, event: {a: 1}, ignored: true}\n")
    assert cli("check", "--coverage").code == 0
    assert (tmp_path / "mapped").read_text() == "x"


def test_check_reports_what_is_wrong_with_fixtures_beside_warnings(cli: Cli, write: Write) -> None:
    write("config/worker.yaml", "pipelines: {strict: false}\n")
    write("config/tests/orders.yaml", "- name: of no topic\n  event: {}\n  ignored: true\n")
    checked = cli("check")
    assert checked.code == 1
    assert "config/tests/orders.yaml:1" in checked.out
    assert "warning: pipelines.strict" in checked.out
    assert "topics: orders" in checked.err
