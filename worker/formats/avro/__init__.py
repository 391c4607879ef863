"""Avro: schemas as a tree (`types`), which bytes to refuse before decoding (`walk`), and JSON values (`converters`)."""
