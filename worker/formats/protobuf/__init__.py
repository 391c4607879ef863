"""Protobuf: schemas, and messages as JSON values.

`protoc` compiles `.proto` text, `schemas` finds the message of a record in a schema, `framing` reads what stands before
a message. `values` turns a message into JSON values field by field, `well_known` the types that have a form of their
own; `generated` writes the same as Python source, for the fields that rules use.

Needs the extra `protobuf`, so only modules of this package, and those that a mapping with `format: protobuf` loads,
import it.
"""
