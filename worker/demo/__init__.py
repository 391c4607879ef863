"""Everything on one machine: an embedded Kafka cluster, the emulator, sample events, the worker between."""
