from __future__ import annotations

from dataclasses import asdict
from typing import Any

from worker.core.rule_use import ENOUGH_RECORDS, RuleUse
from worker.telemetry.combined import combined_metrics, combined_status
from worker.telemetry.history import History
from worker.telemetry.metrics import Observation
from worker.telemetry.status import status_of
from worker.telemetry.telemetry import Telemetry
from worker.telemetry.totals import Totals


def status(
    totals: Totals | None = None, use: RuleUse | None = None, now: Observation | None = None
) -> dict[str, Any]:
    totals, use, now = totals or Totals(), use or RuleUse(), now or Observation()
    history = History(totals, clock=lambda: 1_000.0)
    return {**status_of("1.0", 100.0, totals, use, now), "history": history.view(now)}


def used(consumed: int, ignored: int, *rules: str, matched: str | None = None) -> RuleUse:
    use = RuleUse()
    use.know("orders", rules)
    use.matched([matched])
    topic = use.topic("orders")
    topic.consumed, topic.ignored = consumed, ignored
    topic.ignored_by.update(dict.fromkeys(rules, 1))
    return use


def test_a_single_process_is_shown_as_it_is() -> None:
    one = status(Totals(consumed=3, requests={"200": 1}), used(ENOUGH_RECORDS, 4, "m.yaml:1"))
    assert combined_status([one]) == one


def test_counts_are_added_and_ages_are_the_largest() -> None:
    a = status(
        Totals(consumed=3, delivered=2, requests={"200": 1}, dead_letters={"A": 1}, freshness_seconds=1.5),
        now=Observation(oldest_undelivered={("orders", 0): 9.0}, lag={("orders", 0): 5}, paused=True),
    )
    b = status(
        Totals(consumed=4, requests={"200": 2, "503": 1}, freshness_seconds=None),
        now=Observation(oldest_undelivered={("orders", 1): 2.0}, lag={("orders", 1): 7}),
    )
    both = combined_status([b, a])
    assert both["totals"] == asdict(
        Totals(
            consumed=7,
            delivered=2,
            requests={"200": 3, "503": 1},
            dead_letters={"A": 1},
            freshness_seconds=1.5,
        )
    )
    assert [each["partition"] for each in both["partitions"]] == [0, 1]
    assert (both["oldest_undelivered"], both["paused"]) == (9.0, True)


def test_the_ignored_share_is_that_of_all_records() -> None:
    one, other = used(10, 1, "m.yaml:1"), used(30, 9, "m.yaml:1", "m.yaml:5")
    (topic,) = combined_status([status(use=one), status(use=other)])["topics"]
    counts = {"topic": "orders", "consumed": 40, "ignored": 10, "ignored_share": 0.25}
    assert topic == counts | {"ignored_by": {"m.yaml:1": 2, "m.yaml:5": 1}}


def test_a_rule_that_one_process_has_matched_is_not_shown() -> None:
    never = status(use=used(ENOUGH_RECORDS, 0, "m.yaml:1", "m.yaml:5"))
    matched = status(use=used(ENOUGH_RECORDS, 0, "m.yaml:1", "m.yaml:5", matched="m.yaml:1"))
    few = status(use=used(1, 0, "m.yaml:1", "m.yaml:5"))
    assert [rule["rule"] for rule in combined_status([never, matched, few])["unmatched_rules"]] == [
        "m.yaml:5"
    ]


def test_each_series_has_its_process_and_each_family_one_head() -> None:
    text = b'# HELP a_total As.\n# TYPE a_total counter\na_total{topic="o"} 1.0\na_total{topic="p"} 2.0\n'
    other = text + b"# HELP b Bs.\n# TYPE b gauge\nb 3.0\n"
    assert combined_metrics({1: other, 0: text}).decode().splitlines() == [
        "# HELP a_total As.",
        "# TYPE a_total counter",
        'a_total{process="0",topic="o"} 1.0',
        'a_total{process="0",topic="p"} 2.0',
        'a_total{process="1",topic="o"} 1.0',
        'a_total{process="1",topic="p"} 2.0',
        "# HELP b Bs.",
        "# TYPE b gauge",
        'b{process="1"} 3.0',
    ]


def test_a_workers_own_metrics_can_be_combined() -> None:
    telemetry = Telemetry()
    text = telemetry.prometheus()
    telemetry.shutdown()
    combined = combined_metrics({0: text, 1: text}).splitlines()
    series = [line for line in text.splitlines() if not line.startswith(b"#")]
    assert len([line for line in combined if not line.startswith(b"#")]) == 2 * len(series)
    assert len([line for line in combined if line.startswith(b"#")]) == len(text.splitlines()) - len(series)
