"""What `check --connect` looks at in Kafka, one file a thing. Nothing here changes anything, and no group is joined."""
