"""The worker's decisions, as plain functions and small state objects that take values and `now` and return values.

No I/O, no clock, no tasks, no logging.
"""
