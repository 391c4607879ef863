"""Envelopes: what is wrapped around an event in a record, and how it is removed.

An envelope is not a format: a format decodes bytes to JSON values, an envelope finds the event in them, whichever
format they came in. `unwrapped` defines the interface, which `debezium`, `cloudevents` and `connect` implement.
`envelopes` has all of them by name, and `recognition` tells from samples which one a topic has.

These functions work on plain values and are the reference. The worker's converters remove the same envelopes in
generated code (`worker/mapping/compiler/envelopes/`), which decodes only what the rules read and calls these functions
for every record that is not of the usual form.
"""
