"""The status page's data."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.core.rule_use import RuleUse
    from worker.telemetry.metrics import Observation
    from worker.telemetry.totals import Totals


def status_of(
    version: str, started_at: float, totals: Totals, rule_use: RuleUse, now: Observation
) -> dict[str, Any]:
    """What the status page shows apart from its history, as plain JSON values; ages in seconds."""
    partitions = sorted(now.lag.keys() | now.oldest_undelivered.keys())
    return {
        "version": version,
        "now": time.time(),
        "started_at": started_at,
        "totals": asdict(totals),
        "in_progress": {"records": now.in_progress_records, "bytes": now.in_progress_bytes},
        "in_flight_requests": now.in_flight_requests,
        "rate_limit_share": now.rate_limit_share,
        "oldest_undelivered": max(now.oldest_undelivered.values(), default=0.0),
        "hold": now.hold,
        "paused": now.paused,
        "topics": [
            {
                "topic": topic,
                "consumed": use.consumed,
                "ignored": use.ignored,
                "ignored_share": use.ignored_share,
                "ignored_by": dict(use.ignored_by),
            }
            for topic, use in sorted(rule_use.topics.items())
        ],
        "unmatched_rules": [
            {"rule": rule, "topic": topic, "records": rule_use.topics[topic].consumed}
            for topic, rule in rule_use.unmatched()
        ],
        "partitions": [
            {
                "topic": topic,
                "partition": number,
                "lag": now.lag.get((topic, number), 0),
                "oldest_undelivered": now.oldest_undelivered.get((topic, number), 0.0),
            }
            for topic, number in partitions
        ],
    }
