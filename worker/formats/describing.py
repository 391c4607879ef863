"""The description of a schema of any kind, in the form that the checks of mapping files read."""

from __future__ import annotations

from collections.abc import Callable

from worker.formats import protobuf
from worker.formats.description import ANYTHING, Description, either
from worker.formats.formats import MissingExtraError
from worker.formats.schemas import Schema


class UndescribedError(ValueError):
    """A schema that says nothing of values, because it is wrong. The message says what is wrong with it."""


def _avro(schema: Schema, _message: str | None) -> Description:
    from worker.formats.avro.description import describe as describe_type  # noqa: PLC0415 - beside its format
    from worker.formats.avro.types import InvalidSchemaError, read_type  # noqa: PLC0415 - the same

    try:
        return describe_type(read_type(schema))
    except InvalidSchemaError as error:
        raise UndescribedError(str(error)) from None


def _protobuf(schema: Schema, message: str | None) -> Description:
    if not protobuf.is_installed():
        raise MissingExtraError("protobuf")
    from worker.formats.protobuf.compiling import descriptor_set  # noqa: PLC0415 - needs the extra
    from worker.formats.protobuf.description import describe as describe_message  # noqa: PLC0415 - the same
    from worker.formats.protobuf.refusals import InvalidSchemaError  # noqa: PLC0415 - the same
    from worker.formats.protobuf.schemas import ProtobufSchema  # noqa: PLC0415 - the same

    try:
        found = ProtobufSchema(descriptor_set(schema))
        messages = found.declared() if message is None else [found.named(message)]
        return either(map(describe_message, messages))
    except InvalidSchemaError as error:
        raise UndescribedError(str(error)) from None


_DESCRIBERS: dict[str, Callable[[Schema, str | None], Description]] = {
    "AVRO": _avro,
    "PROTOBUF": _protobuf,
}
"""By the type of the schema, as registries write it."""


def describe(schema: Schema, message: str | None = None) -> Description:
    """What a schema says of values. JSON Schemas say nothing here: their events may hold anything.

    Args:
        schema: the schema, with those that it refers to.
        message: of a Protobuf schema, the message that values are; None for each of those that its file declares.

    Raises:
        UndescribedError: it is wrong.
        MissingExtraError: a library is not installed.
    """
    describer = _DESCRIBERS.get(schema.type)
    return ANYTHING if describer is None else describer(schema, message)
