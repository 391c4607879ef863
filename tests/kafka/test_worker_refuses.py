"""Topics, addresses and keys with which a worker does not start, or does not continue."""

from __future__ import annotations

import pytest

from tests.support.kafka_client import KafkaClient
from tests.support.worker_process import API_KEY, Site, until

pytestmark = pytest.mark.kafka


async def test_a_dead_letter_topic_that_does_not_exist_stops_the_worker_at_its_start(site: Site) -> None:
    site.change("kafka", dead_letter_topic="no-such-topic")
    site.produce(10)
    assert await site.start().ended() == 1
    assert "no-such-topic does not exist" in site.workers[0].output
    assert site.ledger.taken == 0


async def test_a_compacted_dead_letter_topic_stops_the_worker_at_its_start(
    site: Site, kafka: KafkaClient
) -> None:
    compacted = kafka.create_topic(1, cleanup_policy="compact")
    site.change("kafka", dead_letter_topic=compacted)
    site.produce(10)
    assert await site.start().ended() == 1
    assert f"{compacted} is compacted" in site.workers[0].output
    assert site.ledger.taken == 0


async def test_nothing_is_committed_past_a_dead_letter_that_the_topic_rejects(
    site: Site, kafka: KafkaClient
) -> None:
    site.change_property("delivery.timeout.ms", 2000)
    site.change_property("topic.metadata.propagation.max.ms", 1000)
    worker = await site.started()
    kafka.append(site.topic, 1, [b"{broken"])
    await until(site.ledger.dead_letters)
    kafka.delete_topic(site.dead_letters)
    kafka.append(site.topic, 1, [b"{broken again"])
    site.produce(100)
    await site.delivered()
    await worker.not_ready_for("DEAD_LETTERS_REFUSED")
    await until(lambda: site.committed() == [50, 1])
    site.produce(100)
    await site.delivered()
    await until(lambda: site.committed() == [100, 1])
    kafka.create_topic(2, site.dead_letters)
    await until(lambda: site.committed() == [100, 102])
    await worker.ready()
    assert [each.value() for each in site.ledger.dead_letters()] == [b"{broken again"]
    assert await worker.stop() == 0
    site.ledger.check()


async def test_a_source_topic_that_does_not_exist_stops_the_worker_and_is_named(site: Site) -> None:
    site.mapping = site.mapping.replace(site.topic, "no-such-topic")
    assert await site.start().ended() == 1
    (failed,) = site.workers[0].told("source_failed")
    assert "no-such-topic" in failed["message"]


async def test_the_worker_waits_for_an_api_whose_name_does_not_resolve(site: Site) -> None:
    url = site.settings["pipelines"]["url"]
    site.change("pipelines", url="https://nobody.invalid")
    site.change("delivery", shutdown_timeout="100ms")
    worker = await site.started()
    site.produce(10)
    site.kafka.append(site.topic, 1, values=[b"{broken"])
    await until(lambda: worker.told("request_retried"))
    assert {line["reason"] for line in worker.told("request_retried")} == {"dns"}
    assert await worker.stop() == 1
    assert site.committed() == [0, 0]
    site.change("pipelines", url=url)
    assert await site.run_job() == 0
    site.ledger.check()


@pytest.mark.parametrize("key", ["", "  "])
async def test_without_a_key_a_worker_does_not_start(site: Site, key: str) -> None:
    assert await site.run_job(PIPELINES_API_KEY=key) == 2
    assert "api_key" in site.workers[0].output


async def test_a_key_that_is_replaced_in_its_file_ends_the_hold(site: Site) -> None:
    key = site.folder / "key"
    key.write_text("another-key\n")
    site.change("pipelines", api_key={"file": str(key)})
    worker = await site.started()
    site.produce(20)
    await worker.not_ready_for("UNAUTHORIZED")
    key.write_text(f"{API_KEY}\n")
    await site.delivered()
    await worker.ready()
    assert worker.told("api_key_read_again")
    assert await worker.stop() == 0
