#!/bin/sh
# Creates the topics of the example configuration and the dead-letter topic, unless they exist.
#
#   KAFKA_BOOTSTRAP_SERVERS=localhost:9092 sh deploy/create-topics.sh
#
# KAFKA_BIN is the folder of Kafka's scripts, REPLICATION the replication factor.
set -eu

bin=${KAFKA_BIN:-/opt/kafka/bin}
replication=${REPLICATION:-1}

create() {
    topic=$1
    shift
    "$bin/kafka-topics.sh" --bootstrap-server "${KAFKA_BOOTSTRAP_SERVERS:?}" --create --if-not-exists \
        --topic "$topic" --partitions 4 --replication-factor "$replication" "$@"
}

for topic in orders customers devices companies storefront; do
    create "$topic"
done

# Not compacted, because compaction would delete dead letters that share a key. Kept for 30 days, the time to fix
# a mapping and replay. As many partitions as the source topics, and a maximum size for their largest record with
# the headers that describe the error.
create customerio.dead-letters \
    --config cleanup.policy=delete \
    --config retention.ms=2592000000 \
    --config max.message.bytes=2097152
