"""What is done once with each fetched schema, before records are decoded with it."""

from __future__ import annotations

from worker.formats import protobuf
from worker.formats.schemas import NoSchema, Schema


def prepared(schema: Schema | NoSchema) -> Schema | NoSchema:
    """The schema in the form that decoders are made of. Protobuf's is compiled, which takes 100 ms: use a thread.

    Returns:
        The schema; why it is of no use, if it does not compile.
    """
    if isinstance(schema, NoSchema) or not _may_be_protobuf(schema) or not protobuf.is_installed():
        return schema
    from worker.formats.protobuf.compiling import compiled  # noqa: PLC0415 - needs the extra
    from worker.formats.protobuf.refusals import InvalidSchemaError  # noqa: PLC0415 - the same

    try:
        return compiled(schema)
    except InvalidSchemaError as error:
        return NoSchema(f"The schema of the registry is of no use: {error}.", unknown=False)


def _may_be_protobuf(schema: Schema) -> bool:
    """Whether it is text of Protobuf. Apicurio's own API does not say the type; all others are JSON."""
    if schema.type:
        return schema.type == "PROTOBUF" and isinstance(schema.text, str)
    return isinstance(schema.text, str) and schema.text.lstrip()[:1] not in {"{", "[", '"'}
