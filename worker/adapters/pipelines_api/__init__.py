"""The Customer.io Pipelines API over HTTP."""
