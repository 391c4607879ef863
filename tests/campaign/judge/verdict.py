"""Judges a history by the promises of docs/guarantees.md."""

from __future__ import annotations

from tests.campaign.history import History
from tests.campaign.judge import delivery, endings, limits, order
from tests.campaign.judge.account import Account
from tests.campaign.judge.findings import Broken
from tests.campaign.world import World


def judge(world: World, history: History) -> list[Broken]:
    """Everything that does not hold; empty if all promises were kept."""
    account = Account(history)
    return [
        *delivery.findings(account),
        *order.findings(account),
        *limits.findings(world, account),
        *endings.findings(history),
    ]
