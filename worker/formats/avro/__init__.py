"""Avro: a schema as a tree (`types`), and the function that is generated to decode its values (`generated`)."""
