"""Facts about the Pipelines API and about what Customer.io does with a call. No I/O."""
