"""`functions`, and `events` by part of a name."""

from __future__ import annotations

from tests.support.program import Cli


def test_functions_are_listed_and_explained(cli: Cli) -> None:
    listed = cli("functions")
    assert "concat(a, b, ...): All arguments as one text" in listed.out
    assert "join(separator, texts): " in listed.out

    one = cli("functions", "pad_left")
    assert one.out.startswith("pad_left(s, length, fill)\n  returns     The text with `fill`")
    assert "  example     pad_left('42', `6`, '0')  is  \"000042\"\n" in one.out
    assert "  rejects     EXPRESSION_FAILED: An empty `fill`" in one.out


def test_functions_are_found_by_a_part_of_the_name_or_by_a_near_one(cli: Cli) -> None:
    assert cli("functions", "BASE64").out.count("returns") == 2
    assert cli("functions", "time").out.count("returns") == 3
    for wrong, near in {"strftime": "format_time", "sha_256": "sha256", "concatt": "concat"}.items():
        done = cli("functions", wrong)
        assert done.code == 2
        assert f"did you mean '{near}'?" in done.err


def test_events_are_listed_by_a_part_of_the_name(cli: Cli) -> None:
    assert cli("events", "order").out.splitlines()[:2] == ["Order Completed", "Order Updated"]
    assert "showing 'Product List Viewed'" in cli("events", "list view").err
