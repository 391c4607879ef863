"""One world of the campaign, with many kinds of faults, in every test run. `python -m tests.campaign` runs others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.judge.findings import told
from tests.campaign.judge.verdict import judge
from tests.campaign.plan import draw_plan
from tests.campaign.run import WorldRun
from tests.kafka.conftest import own_kafka  # noqa: F401 - a fixture
from tests.support.kafka_cluster import KafkaCluster

SEED = 181
"""Two supervisors with two processes each, in a KIP-848 group: a process is killed, a member leaves and another joins,
the broker restarts, partitions are added, and the API fails."""


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_promises_hold_in_a_world_with_many_kinds_of_faults(
    own_kafka: KafkaCluster,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    plan = draw_plan(SEED)
    assert len(plan.has) >= 6, "choose another seed if the draws change"
    run = WorldRun(plan, own_kafka.bootstrap_servers, own_kafka, tmp_path / "world")
    await run.run()
    assert list(told(judge(plan.world, run.history))) == []
