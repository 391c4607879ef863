"""Decoding a record's bytes into JSON values. JSON is the only format so far."""
