from __future__ import annotations

from worker.core.rule_use import ENOUGH_RECORDS, RuleUse


def test_a_rule_is_reported_once_after_enough_records_and_until_it_matches() -> None:
    use = RuleUse()
    use.know("orders", ["o.yaml:3", "o.yaml:7"])
    use.topic("orders").consumed = ENOUGH_RECORDS - 1
    use.matched(["o.yaml:3", None])
    assert (use.newly_unmatched("orders"), list(use.unmatched())) == ([], [])

    use.topic("orders").consumed = ENOUGH_RECORDS
    assert use.newly_unmatched("orders") == ["o.yaml:7"]
    assert use.newly_unmatched("orders") == []
    assert list(use.unmatched()) == [("orders", "o.yaml:7")]
    assert use.awaits()

    use.matched(["o.yaml:7"])
    assert list(use.unmatched()) == []
    assert not use.awaits()


def test_a_match_without_calls_is_a_match() -> None:
    use = RuleUse()
    made_no_call = use.know("orders", ["o.yaml:3"])
    use.topic("orders").consumed = ENOUGH_RECORDS
    made_no_call("o.yaml:3")
    use.ignored("orders", 1)
    assert use.newly_unmatched("orders") == []


def test_a_rule_of_several_topics_has_matched_once_it_has_matched_in_one() -> None:
    use = RuleUse()
    use.know("a", ["f.yaml:3"])
    use.topic("b").consumed = ENOUGH_RECORDS
    use.matched(["f.yaml:3"])
    use.know("b", ["f.yaml:3"])
    assert use.newly_unmatched("b") == []


def test_the_ignored_share_is_by_topic() -> None:
    use = RuleUse()
    assert use.topic("a").ignored_share == 0
    use.topic("a").consumed, use.topic("a").ignored = 4, 3
    use.topic("b").consumed = 9
    assert {name: topic.ignored_share for name, topic in use.topics.items()} == {"a": 0.75, "b": 0}


def test_ignored_records_are_counted_by_the_rule_that_ignored_them() -> None:
    use = RuleUse()
    made_no_call = use.know("orders", ["o.yaml:3"])
    for rule in ("o.yaml:3", "o.yaml:9", "o.yaml:9"):
        made_no_call(rule)
    use.ignored("orders", 5)
    use.ignored("orders", 1)
    orders = use.topic("orders")
    assert (orders.ignored, orders.ignored_by) == (6, {"o.yaml:3": 1, "o.yaml:9": 2})


def test_a_slice_that_was_interrupted_counts_once_it_is_mapped_again() -> None:
    use = RuleUse()
    made_no_call = use.know("orders", ["o.yaml:3"])
    made_no_call("o.yaml:3")
    use.interrupted("orders")
    made_no_call("o.yaml:3")
    use.ignored("orders", 1)
    assert use.topic("orders").ignored_by == {"o.yaml:3": 1}
