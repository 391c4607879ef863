"""Kafka: the consumer and its group, scans without a group, checks."""
