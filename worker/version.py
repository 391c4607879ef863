"""The version of the worker, as it stands in every dead letter and User-Agent."""

__version__ = "0.1.0"
