"""`run --processes` on a real Kafka: one supervisor, two members of one group, one ledger."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from tests.kafka.conftest import leave
from tests.support.kafka_client import KafkaClient
from tests.support.kafka_cluster import KafkaCluster
from tests.support.shared_limit import with_a_session_of
from tests.support.worker_process import PROTOCOLS, Site, WorkerProcess, until
from worker.emulator import Emulator, Fault

pytestmark = pytest.mark.kafka

TWO = ("--processes", "2")


def pids(run: WorkerProcess) -> list[int]:
    """The newest process id of each number."""
    newest = {line["number"]: line["pid"] for line in run.told("process_started")}
    return [pid for _, pid in sorted(newest.items())]


def assigned(run: WorkerProcess) -> set[int]:
    """The numbers of the processes that were assigned partitions."""
    return {line["process"] for line in run.told("partitions_assigned") if line["count"]}


async def both_working(site: Site, *arguments: str) -> WorkerProcess:
    """Start two processes, and wait until each owns a partition."""
    run = site.start(*TWO, *arguments)
    await run.ready()
    await until(lambda: assigned(run) == {0, 1})
    return run


async def test_processes_share_the_work_and_their_pages_are_one(any_protocol: Site) -> None:
    site = any_protocol
    run = await both_working(site)
    site.produce(400)
    await site.delivered()
    await run.consumed(400)
    status = await run.status()
    assert {each["partition"] for each in status["partitions"]} == {0, 1}
    history = status["history"]
    assert sum(history["consumed"]) == 400
    answered = sum(n for each in history["latency"]["counts"] for n in each.values())
    assert answered == sum(status["totals"]["requests"].values())
    metrics = (await run.get("/metrics"))[1]
    consumed = dict(
        re.findall(
            r'^pipelines_worker_records_consumed_total\{process="(\d)",topic="[^"]+"\} (\S+)',
            metrics,
            re.MULTILINE,
        )
    )
    assert {number: float(value) for number, value in consumed.items()} == {"0": 200.0, "1": 200.0}
    assert metrics.count("# TYPE pipelines_worker_records_consumed_total counter") == 1
    assert (await run.get("/livez"))[0] == 200
    assert await run.stop() == 0
    assert site.committed() == site.ends()
    assert {line.get("process") for line in run.told("worker_stopped")} == {0, 1}


async def test_a_job_ends_with_all_its_processes(any_protocol: Site) -> None:
    any_protocol.produce(300)
    run = any_protocol.start(*TWO, "--until-caught-up")
    assert await run.ended() == 0
    any_protocol.ledger.check()
    assert any_protocol.committed() == any_protocol.ends()
    assert len(run.told("process_started")) == 2, "none is started again"


async def test_a_job_whose_process_is_killed_still_delivers_everything_and_exits_0(
    any_protocol: Site,
) -> None:
    site = any_protocol
    with_a_session_of(site, 6)
    site.change("rate_limit", per="500ms")
    site.emulator.faults.add(Fault(status=503, times=None))
    site.produce(400)
    run = site.start(*TWO, "--until-caught-up")
    # With the classic protocol the one that joins second may get nothing at first, and end.
    await until(lambda: assigned(run) == {0, 1} or run.told("worker_stopped"))
    killed = max(assigned(run) - {line["process"] for line in run.told("worker_stopped")})
    os.kill(pids(run)[killed], signal.SIGKILL)
    site.emulator.faults.clear()
    assert await run.ended() == 0
    assert [line["number"] for line in run.told("process_ended")] == [killed]
    site.ledger.check()
    assert site.committed() == site.ends()


async def test_a_process_that_is_killed_is_started_again_and_nothing_is_lost(any_protocol: Site) -> None:
    site = any_protocol
    with_a_session_of(site, 6)
    site.change("rate_limit", per="2s")
    run = await both_working(site)
    site.produce(200)
    os.kill(pids(run)[1], signal.SIGKILL)
    site.produce(200)
    await until(lambda: len(run.told("process_started")) == 3)
    (ended,) = run.told("process_ended")
    assert (ended["number"], ended["how"], ended["seconds"]) == (1, "signal 9", 2.0)
    await run.ready()
    site.produce(200)
    await site.delivered()
    run.signal(signal.SIGINT)
    assert await run.ended() == 0, "what ended before does not count"
    assert {line["reason"] for line in run.told("stopping")} == {"SIGINT"}


async def test_a_process_that_is_stopped_is_reported_and_its_partitions_are_taken_over(
    any_protocol: Site,
) -> None:
    site = any_protocol
    with_a_session_of(site, 6)
    run = await both_working(site)
    stopped = pids(run)[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        site.produce(200)
        await until(site.ledger.is_delivered)
        await run.not_ready_for("PROCESS_NOT_RESPONDING")
    finally:
        os.kill(stopped, signal.SIGCONT)
    await run.ready()
    site.produce(100)
    await site.delivered()
    assert await run.stop() == 0


async def test_a_stopped_process_does_not_keep_the_others_from_ending(site: Site) -> None:
    site.change("delivery", shutdown_timeout="1s")
    run = await both_working(site)
    os.kill(pids(run)[0], signal.SIGSTOP)
    assert await run.stop() == 1
    assert [line["number"] for line in run.told("process_killed")] == [0]
    assert {line["process"] for line in run.told("worker_stopped")} == {1}


async def test_processes_that_cannot_start_end_the_run(site: Site) -> None:
    site.change("kafka", dead_letter_topic="nonesuch")
    run = site.start(*TWO)
    assert await run.ended() == 1
    assert not run.told("process_ended"), "they are not started again and again"


async def test_a_configuration_that_becomes_wrong_ends_the_run(site: Site) -> None:
    run = await both_working(site)
    (site.folder / "config" / "worker.yaml").write_text("kafka: {nonsense: 1}\n")
    os.kill(pids(run)[0], signal.SIGKILL)
    assert await run.ended() == 2


async def test_if_the_supervisor_is_killed_its_processes_drain_and_end(site: Site) -> None:
    run = await both_working(site)
    children = pids(run)
    site.produce(100)
    run.kill()
    await until(lambda: not any(map(is_running, children)))
    drained = [line for line in run.told("draining") if line["reason"] == "the supervisor ended"]
    assert {line["process"] for line in drained} == {0, 1}
    assert len(run.told("worker_stopped")) == 2
    assert await site.run_job() == 0
    site.ledger.check()


async def test_if_the_supervisor_is_killed_without_a_broker_its_processes_end_all_the_same(
    tmp_path: Path, own_kafka: KafkaCluster, emulator: Emulator
) -> None:
    site = Site(tmp_path, KafkaClient(own_kafka.bootstrap_servers), emulator)
    site.change_property("session.timeout.ms", 45_000)  # how long the client keeps a commit waiting
    site.change("delivery", shutdown_timeout="1s")
    run = await both_working(site)
    children = pids(run)
    emulator.faults.add(Fault(delay=0.5, times=None))
    site.produce(400)
    await run.consumed(400)
    await asyncio.to_thread(own_kafka.kill)
    run.kill()
    await until(lambda: not any(map(is_running, children)))
    assert run.told("left_anyway")
    leave(site)


async def test_processes_that_leave_at_the_same_time_all_end(site: Site) -> None:
    """With KIP-848 a client that is closed while others leave could wait for itself for ever."""
    site.change("kafka", properties=PROTOCOLS["consumer"])
    for _ in range(3):
        run = site.start("--processes", "3")
        await run.ready()
        site.produce(60)
        assert await run.stop() == 0
        assert not run.told("process_killed")


async def test_a_second_signal_ends_all_at_once(site: Site) -> None:
    site.emulator.faults.add(Fault(status=503, times=None))
    run = await both_working(site)
    site.produce(100)
    await run.consumed(100)
    run.signal(signal.SIGINT)
    # Before, the system may make one of two signals.
    await until(lambda: len(run.told("draining")) == 2)
    run.signal(signal.SIGTERM)
    assert await run.ended() == 1
    assert run.told("stopped_at_once")


async def test_static_members_get_the_number_of_their_process(any_protocol: Site) -> None:
    site = any_protocol
    with_a_session_of(site, 6)
    site.change_property("group.instance.id", f"static-{site.group}")
    run = await both_working(site)
    os.kill(pids(run)[0], signal.SIGKILL)
    site.produce(200)
    await until(lambda: len(run.told("process_started")) == 3)
    await site.delivered()
    assert await run.stop() == 0


async def test_without_pages_nothing_listens(site: Site) -> None:
    run = site.start(*TWO, WORKER__HTTP__LISTEN="null")
    await until(lambda: assigned(run) == {0, 1})
    assert [listening(pid) for pid in [run.pid, *pids(run)]] == [0, 0, 0]
    site.produce(100)
    await site.delivered()
    assert await run.stop() == 0
    second = await both_working(site)
    assert [listening(pid) for pid in [second.pid, *pids(second)]] == [1, 0, 0], (
        "the supervisor has the pages"
    )
    assert await second.stop() == 0


async def test_one_address_for_all_processes_that_is_taken_ends_the_run(site: Site) -> None:
    run = await site.started()
    second = site.start(*TWO, WORKER__HTTP__LISTEN=run.url.removeprefix("http://"))
    assert await second.ended() == 1
    assert second.told("listen_failed")
    assert not second.told("process_started")


def listening(pid: int) -> int:
    """How many ports a process listens on."""
    state, inode, listens = 3, 9, "0A"  # columns of /proc/net/tcp, and TCP_LISTEN
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    names = {f"socket:[{each[inode]}]" for each in sockets if each[state] == listens}
    return sum(name in names for name in map(link_of, Path(f"/proc/{pid}/fd").iterdir()))


def link_of(file: Path) -> str | None:
    """What a link points to; None if it has just gone."""
    try:
        return str(file.readlink())
    except OSError:
        return None


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
