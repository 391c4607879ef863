"""Compiles `.proto` text to a descriptor set, with the compiler that `grpcio-tools` brings.

It runs as a process of its own, on files of a temporary folder and for a limited time: schemas come from a registry
that others write to. A run takes about 100 ms.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

import google.type
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from worker.formats.protobuf.refusals import InvalidSchemaError

TIME_LIMIT = 20.0
"""Seconds for a run. The largest public schemas take less than one."""

LARGEST = 2_000_000
"""Characters of a schema with its imports. Registries limit a schema to about one million."""

_ENCODED = "_encoded.desc"
"""The file for the descriptors of a schema, in its folder."""

_LONGEST_NAME = 200
"""Bytes of a file's name, below what file systems take."""

_LOG_LINE = re.compile(r"WARNING: |[IWE]\d{4} ")
"""A line of the compiler that is not about what makes it fail."""

_KEPT = 32
"""Compiled schemas that are kept: under several ids, a registry often has the same text."""

_IMPORTS = (Path(__file__).parent / "imports", *(Path(path).parents[1] for path in google.type.__path__))
"""What any schema may import: `confluent/`, `google/type/`; the compiler itself has `google/protobuf/`."""


def compile_text(text: str, imports: Mapping[str, str]) -> bytes:
    """Compile a schema of a registry.

    Args:
        text: the schema: a `.proto` file, or its descriptor in base64, as some serializers register it.
        imports: the same for each file that it imports, directly or not, by the name it is imported by.

    Returns:
        A serialized `FileDescriptorSet` with all imports; the schema's own file is the last one.

    Raises:
        InvalidSchemaError: it does not compile, with the compiler's first message.
        OSError: the compiler cannot run here: no temporary folder, no memory.
    """
    return _compile_text(text, tuple(sorted(imports.items())))


@lru_cache(_KEPT)
def _compile_text(text: str, imports: tuple[tuple[str, str], ...]) -> bytes:
    if len(text) + sum(len(each) for _, each in imports) > LARGEST:
        raise InvalidSchemaError(f"the schema has more than {LARGEST:,} characters")
    main = "schema.proto"
    while main in dict(imports):
        main = f"_{main}"
    with tempfile.TemporaryDirectory(prefix="protobuf-schema-") as folder:
        files = dict(imports) | {main: text}
        return _run(main, [Path(folder)], _write(Path(folder), files))


def _write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a schema, by name; returns the file with those that are descriptors."""
    encoded = FileDescriptorSet()
    for name, text in files.items():
        path = folder / _safe(name)
        descriptor = _decoded(text)
        if descriptor is not None:
            descriptor.name = name
            encoded.file.append(descriptor)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise InvalidSchemaError("an imported schema has the name of a folder of another") from None
    made = folder / _ENCODED
    made.write_bytes(encoded.SerializeToString())
    return made


def _decoded(text: str) -> FileDescriptorProto | None:
    """A file's descriptor in base64; None for a `.proto` file, which has a blank, a quote or a brace."""
    try:
        return FileDescriptorProto.FromString(b64decode(text, validate=True)) if text else None
    except (ValueError, DecodeError):
        return None


def compile_file(path: Path) -> bytes:
    """Compile a `.proto` file. Imports are looked up beside it, then in each folder above, up to the current one.

    Returns:
        A serialized `FileDescriptorSet` with all imports; the file itself is the last one.

    Raises:
        InvalidSchemaError: it does not compile, with the compiler's first message.
        OSError: the compiler cannot run here: no temporary folder, no memory.
    """
    file = path.resolve()
    here = Path.cwd()
    above = [folder for folder in file.parents if folder.is_relative_to(here)]
    return _run(file.name, above or [file.parent])


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    wrong = not name.strip("./") or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    if wrong or name == _ENCODED or any(len(each.encode()) > _LONGEST_NAME for each in path.parts):
        raise InvalidSchemaError("the name of an imported schema is not a relative path")
    return path


def _run(main: str, folders: Iterable[Path], encoded: Path | None = None) -> bytes:
    with tempfile.TemporaryDirectory(prefix="protobuf-compiled-") as temporary:
        made = Path(temporary) / "schema.desc"
        looked_up = [f"-I{folder}" for folder in (*folders, *_IMPORTS)]
        command = [sys.executable, "-P", "-m", "grpc_tools.protoc", *looked_up]
        command += [f"--descriptor_set_out={made}", "--include_imports", main]
        command += [f"--descriptor_set_in={encoded}"] if encoded is not None else []
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and the file's name is ours or the user's own
                command, capture_output=True, timeout=TIME_LIMIT, check=False, cwd=temporary, text=True
            )
        except subprocess.TimeoutExpired:
            raise InvalidSchemaError(f"it took longer than {TIME_LIMIT:g} s to compile") from None
        if done.returncode or not made.exists():
            raise InvalidSchemaError(_first_error(done.stderr))
        return made.read_bytes()


def _first_error(said: str) -> str:
    """The compiler's first message about a file, without the folder that the file was compiled in."""
    lines = [line for line in said.splitlines() if not _LOG_LINE.match(line) and ": warning:" not in line]
    if not lines:
        return "the compiler failed without a message"
    return re.sub(r"^/\S*/(?=[^/\s]+:\d+:\d+: )", "", lines[0]).rstrip(".")
