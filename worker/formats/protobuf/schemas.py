"""A compiled schema, and the message of a record in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from worker.formats.protobuf.refusals import InvalidSchemaError

_OPTIONS = "google/protobuf/descriptor.proto"
"""The file with the types of options."""

_MOST_NAMES = 20
"""How many messages an error names."""


class ProtobufSchema:
    """The messages of one schema, apart from those of any other: two versions may define the same name."""

    def __init__(self, descriptor_set: bytes) -> None:
        """Load a schema.

        Args:
            descriptor_set: a serialized `FileDescriptorSet`. A message index counts in its last file, which is the
                one that `protoc` was called for.

        Raises:
            InvalidSchemaError: it is no such set, or lacks an imported file.
        """
        files = _files(descriptor_set)
        self._pool = DescriptorPool()
        self._names = list(files)
        try:
            _add_all(self._pool, files)
            self._main = self._pool.FindFileByName(self._names[-1])
        except (TypeError, KeyError, IndexError) as error:
            raise InvalidSchemaError(f"the descriptor set is not complete: {_words(error)}") from None

    def named(self, name: str) -> Descriptor:
        """The message with this name: the full one, or that which it has in the main file, or in any if only one has.

        Raises:
            InvalidSchemaError: there is none, with the names that there are.
        """
        package = self._main.package
        for full in (name, f"{package}.{name}" if package else name):
            try:
                return self._pool.FindMessageTypeByName(full)
            except KeyError:
                continue
        found = [each for each in self.messages() if each.full_name.endswith(f".{name}")]
        if len(found) == 1:
            return found[0]
        raise InvalidSchemaError(f"there is no message {name}; messages: {self._known()}")

    def at(self, index: tuple[int, ...]) -> Descriptor:
        """The message at this place: its place among the file's messages, then in that message, and so on.

        The clients for Python, Go and .NET count the entry types of maps, which a `.proto` does not show; the one for
        Java does not. They are left out where counting them leads to no message.

        Raises:
            InvalidSchemaError: there is none.
        """
        declared = self.declared()
        found = _walk(declared, index, _nested) or _walk(declared, index, _written)
        if found is None:
            raise InvalidSchemaError("the schema has no message at this message index")
        return found

    def only(self) -> Descriptor:
        """The message of a schema that declares one at the top of its main file.

        Raises:
            InvalidSchemaError: it declares none or several, with their names.
        """
        declared = self.declared()
        if len(declared) == 1:
            return declared[0]
        raise InvalidSchemaError(f"name one of the schema's messages with `message:` ({self._known()})")

    def likely(self) -> int:
        """The place of the message that values likely are: the only one that is not part of others, or the first."""
        declared = self.declared()
        parts = {
            field.message_type.full_name
            for message in self.messages()
            for field in message.fields
            if field.message_type is not None and field.message_type != message
        }
        whole = [place for place, message in enumerate(declared[:64]) if message.full_name not in parts]
        return whole[0] if len(whole) == 1 else 0

    def declared(self) -> list[Descriptor]:
        """The messages at the top of the main file, in order of declaration."""
        return list(self._main.message_types_by_name.values())

    def _known(self) -> str:
        return ", ".join(each.full_name for each in self.declared()[:_MOST_NAMES]) or "none"

    def messages(self) -> list[Descriptor]:
        """Every message of every file, in order of declaration, with those declared in messages."""
        found: list[Descriptor] = []
        for name in self._names:
            for message in self._pool.FindFileByName(name).message_types_by_name.values():
                _collect(message, found)
        return found


def _walk(
    declared: list[Descriptor], index: tuple[int, ...], inside: Callable[[Descriptor], list[Descriptor]]
) -> Descriptor | None:
    message = None
    for place in index:
        if not 0 <= place < len(declared):
            return None
        message = declared[place]
        declared = inside(message)
    return None if message is None or message.GetOptions().map_entry else message


def _nested(message: Descriptor) -> list[Descriptor]:
    return list(message.nested_types)


def _written(message: Descriptor) -> list[Descriptor]:
    return [each for each in message.nested_types if not each.GetOptions().map_entry]


def _collect(message: Descriptor, found: list[Descriptor]) -> None:
    found.append(message)
    for nested in _written(message):
        _collect(nested, found)


def _files(descriptor_set: bytes) -> dict[str, FileDescriptorProto]:
    try:
        files = {file.name: file for file in FileDescriptorSet.FromString(descriptor_set).file}
    except DecodeError:
        raise InvalidSchemaError("it is not a descriptor set (`protoc --descriptor_set_out`)") from None
    if not files or not all(files):
        raise InvalidSchemaError("it is not a descriptor set (`protoc --descriptor_set_out`)")
    _check_maps(files)
    _leave_out_options(files)
    return files


def _check_maps(files: dict[str, FileDescriptorProto]) -> None:
    """Refuse what no compiler writes, and the library does not notice."""
    for file in files.values():
        for each in _every_message(file.message_type):
            if each.options.map_entry and {field.number for field in each.field} != {1, 2}:
                raise InvalidSchemaError("a map has no type for its keys or its values")


def _leave_out_options(files: dict[str, FileDescriptorProto]) -> None:
    """Leave out extensions, which are not decoded. Without those of options the schema of schemas is seldom needed.

    It takes 160 kB of memory for each schema that imports options, ten times as much as a schema itself.
    """
    messages = [each for file in files.values() for each in _every_message(file.message_type)]
    for extended in (*files.values(), *messages):
        del extended.extension[:]
    if _OPTIONS in files:
        own = {f".google.protobuf.{each.name}" for each in files[_OPTIONS].message_type}
        others = [file for name, file in files.items() if name != _OPTIONS]
        used = [
            field.type_name.startswith(tuple(own))
            for file in others
            for each in _every_message(file.message_type)
            for field in each.field
        ]
        if not any(used):
            files[_OPTIONS] = FileDescriptorProto(name=_OPTIONS, package="google.protobuf")


def _every_message(declared: Iterable[DescriptorProto]) -> Iterator[DescriptorProto]:
    for message in declared:
        yield message
        yield from _every_message(message.nested_type)


def _add_all(pool: Any, files: dict[str, FileDescriptorProto]) -> None:
    """Add files, each after those that it imports. An import that is not in the set may be one of Google's own."""
    waiting = dict(files)
    while waiting:
        ready = [
            name for name, file in waiting.items() if not any(each in waiting for each in file.dependency)
        ]
        if not ready:
            raise InvalidSchemaError(f"its files import each other: {', '.join(sorted(waiting)[:5])}")
        for name in ready:
            pool.Add(waiting.pop(name))


def _words(error: Exception) -> str:
    return str(error.args[0]).splitlines()[0] if error.args else type(error).__name__
