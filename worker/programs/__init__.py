"""Composition roots: the worker, the replay and the checks, each built from its parts."""
