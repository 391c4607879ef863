"""The path of a record from Kafka to the API, and the interfaces (`ports`) that it needs."""
