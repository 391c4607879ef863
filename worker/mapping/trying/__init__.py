"""Trying a mapping without Kafka: fixtures and previews."""
