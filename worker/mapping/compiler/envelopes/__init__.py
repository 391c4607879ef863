"""Envelopes in generated code: `code` begins, with one module for each envelope that it chooses from.

The usual form of an envelope is taken off inline, by reading attributes of a struct that holds only what the rules
read. Every other record goes through `Decoding.unwrapped`, the reference, and its result is converted to those structs.
"""
