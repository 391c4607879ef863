"""Facts about the Pipelines API, and about how Customer.io handles calls. No I/O."""
