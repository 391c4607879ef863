"""Drafts a mapping and its fixtures from sample records, for `init --from-topic`. No I/O."""
