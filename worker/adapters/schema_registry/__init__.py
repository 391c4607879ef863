"""The schema registry, by the Confluent API."""
