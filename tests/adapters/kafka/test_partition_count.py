from __future__ import annotations

from confluent_kafka import KafkaError
from confluent_kafka.admin._metadata import ClusterMetadata, PartitionMetadata, TopicMetadata

from worker.adapters.kafka.partition_count import subscribed_partitions

NONE: frozenset[tuple[str, int]] = frozenset()


def metadata(**topics: int | KafkaError) -> ClusterMetadata:
    """What brokers say: of each topic, how many partitions it has, or an error."""
    cluster = ClusterMetadata()
    for name, partitions in topics.items():
        topic = TopicMetadata()
        if isinstance(partitions, KafkaError):
            topic.error = partitions
        else:
            topic.partitions = {number: PartitionMetadata() for number in range(partitions)}
        cluster.topics[name] = topic
    return cluster


def test_the_partitions_of_all_subscribed_topics_count() -> None:
    found = subscribed_partitions(metadata(orders=2, people=1, other=5), ["orders", "^peo.*$"], NONE)
    assert found == {("orders", 0), ("orders", 1), ("people", 0)}


def test_what_is_not_there_any_more_does_not_count() -> None:
    known = frozenset({("orders", 0), ("gone", 0), ("forbidden", 0)})
    denied = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    found = subscribed_partitions(metadata(orders=1, forbidden=denied), ["^.*$"], known)
    assert found == {("orders", 0)}


def test_an_error_that_passes_says_nothing_about_the_number() -> None:
    electing = KafkaError(KafkaError.LEADER_NOT_AVAILABLE)
    known = frozenset({("orders", 0), ("orders", 1)})
    assert subscribed_partitions(metadata(orders=electing), ["orders"], known) == known
    assert subscribed_partitions(metadata(orders=electing), ["orders"], NONE) == NONE
