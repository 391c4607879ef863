"""What is true of the Pipelines API and of what Customer.io does with a call. No I/O."""
