#!/bin/sh
# Makes the topics of the example configuration and the dead-letter topic, where they are missing.
#
#   KAFKA_BOOTSTRAP_SERVERS=localhost:9092 sh deploy/create-topics.sh
#
# KAFKA_BIN is where Kafka's own scripts are, REPLICATION how many copies the cluster can keep.
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

# Never compacted, or letters that share a key would replace each other. Kept for 30 days: that is how long
# there is to repair a mapping and replay. As many partitions as the topics that it keeps letters of, and room
# for their largest record with the headers that say what was wrong with it.
create customerio.dead-letters \
    --config cleanup.policy=delete \
    --config retention.ms=2592000000 \
    --config max.message.bytes=2097152
