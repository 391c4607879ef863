"""From a record's bytes to JSON values. JSON is the only format."""
