"""The path of a record from Kafka to the API, and what it needs from the world."""
