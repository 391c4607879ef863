"""The status page and metrics of several worker processes as those of one `run`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from worker.core.rule_use import ENOUGH_RECORDS
from worker.telemetry.history import combined_history

_SERIES = re.compile(rb"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?( .*)$")


def combined_status(statuses: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums of what each process shows, see `status.status_of`; of ages the largest.

    Args:
        statuses: at least one.
    """
    first = statuses[0]
    return {
        **first,
        "started_at": min(each["started_at"] for each in statuses),
        "totals": _totals([each["totals"] for each in statuses]),
        "in_progress": _sums([each["in_progress"] for each in statuses]),
        "in_flight_requests": sum(each["in_flight_requests"] for each in statuses),
        "rate_limit_share": sum(each["rate_limit_share"] for each in statuses),
        "oldest_undelivered": max(each["oldest_undelivered"] for each in statuses),
        "hold": next((each["hold"] for each in statuses if each["hold"]), None),
        "paused": any(each["paused"] for each in statuses),
        "topics": _topics([topic for each in statuses for topic in each["topics"]]),
        "unmatched_rules": _unmatched_rules(statuses),
        "partitions": sorted(
            (partition for each in statuses for partition in each["partitions"]),
            key=lambda each: (each["topic"], each["partition"]),
        ),
        "history": combined_history([each["history"] for each in statuses]),
    }


def combined_metrics(texts: Mapping[int, bytes]) -> bytes:
    """Every series of every process, with the label `process`. No sums: Prometheus adds series up.

    Args:
        texts: Prometheus text by the process's number.
    """
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for number, text in sorted(texts.items()):
        comments: list[bytes] = []
        series: list[bytes] = []
        is_first = True
        for line in text.splitlines():
            if line.startswith(b"# HELP "):
                comments, series = families.setdefault(line.split(b" ", 3)[2], ([], []))
                is_first = not comments
            if line.startswith(b"#"):
                if is_first:
                    comments.append(line)
            elif line:
                series.append(_with_process(line, number))
    return b"".join(line + b"\n" for comments, series in families.values() for line in [*comments, *series])


def _with_process(line: bytes, number: int) -> bytes:
    found = _SERIES.match(line)
    assert found, "a line of Prometheus text is a comment or a series"
    name, labels, value = found.groups()
    return b'%b{process="%d"%b}%b' % (name, number, b"," + labels if labels else b"", value)


def _totals(totals: Sequence[dict[str, Any]]) -> dict[str, Any]:
    fresh = [each["freshness_seconds"] for each in totals if each["freshness_seconds"] is not None]
    summed = [{**each, "freshness_seconds": 0} for each in totals]
    return {**_sums(summed), "freshness_seconds": max(fresh, default=None)}


def _sums(counts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts by name, also nested ones."""
    names = dict.fromkeys(name for each in counts for name in each)
    return {name: _sum([each[name] for each in counts if name in each]) for name in names}


def _sum(values: Sequence[Any]) -> Any:
    return _sums(values) if isinstance(values[0], dict) else sum(values)


def _topics(topics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for each in topics:
        counts = {name: each[name] for name in ("consumed", "ignored", "ignored_by")}
        known = found.get(each["topic"])
        found[each["topic"]] = _sums([known, counts]) if known else counts
    return [
        {
            "topic": topic,
            **counts,
            "ignored_share": counts["ignored"] / counts["consumed"] if counts["consumed"] else 0.0,
        }
        for topic, counts in sorted(found.items())
    ]


def _unmatched_rules(statuses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules that have matched nothing in any process that had enough records of their topic."""
    shown = [{(each["topic"], each["rule"]) for each in status["unmatched_rules"]} for status in statuses]
    consumed = [{each["topic"]: each["consumed"] for each in status["topics"]} for status in statuses]
    return [
        {"rule": rule, "topic": topic, "records": sum(each.get(topic, 0) for each in consumed)}
        for topic, rule in sorted(set().union(*shown))
        if all(
            (topic, rule) in rules
            for rules, counts in zip(shown, consumed, strict=True)
            if counts.get(topic, 0) >= ENOUGH_RECORDS
        )
    ]
