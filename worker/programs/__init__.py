"""Whole programs, put together: the worker, the replay, the checks."""
