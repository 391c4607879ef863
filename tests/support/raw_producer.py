"""Writes records that the Python client cannot: names of headers that are not UTF-8, or hold a NUL.

Any producer on librdkafka can write them. This one calls the library that the Python client brings with it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import confluent_kafka

RawHeaders = Sequence[tuple[bytes, bytes | None]]

_PRODUCER = 0
_TOPIC, _PARTITION, _VALUE, _KEY, _MSGFLAGS, _TIMESTAMP, _HEADERS = 1, 3, 4, 5, 7, 8, 10
_COPY = 2
_ERROR_CHARS = 512
_FLUSH_MS = 60_000


class _Memory(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("size", ctypes.c_size_t))


class _Value(ctypes.Union):
    _fields_ = (
        ("text", ctypes.c_char_p),
        ("number32", ctypes.c_int32),
        ("number64", ctypes.c_int64),
        ("memory", _Memory),
        ("pointer", ctypes.c_void_p),
        ("padding", ctypes.c_char * 64),
    )


class _Argument(ctypes.Structure):
    """`rd_kafka_vu_t`: one argument of `rd_kafka_produceva`."""

    _fields_ = (("kind", ctypes.c_int), ("value", _Value))


class RawProducer:
    """A producer of arbitrary bytes; close it with `close`."""

    def __init__(self, servers: str) -> None:
        self._library = _library()
        text = ctypes.create_string_buffer(_ERROR_CHARS)
        properties = self._library.rd_kafka_conf_new()
        for name, value in {b"bootstrap.servers": servers.encode(), b"log_level": b"0"}.items():
            assert self._library.rd_kafka_conf_set(properties, name, value, text, _ERROR_CHARS) == 0
        self._producer = self._library.rd_kafka_new(_PRODUCER, properties, text, _ERROR_CHARS)
        assert self._producer, text.value

    def produce(
        self,
        topic: str,
        partition: int = 0,
        value: bytes | None = b"{}",
        *,
        key: bytes | None = None,
        headers: RawHeaders = (),
        timestamp: int = 0,
    ) -> None:
        arguments = [
            _Argument(_TOPIC, _Value(text=topic.encode())),
            _Argument(_PARTITION, _Value(number32=partition)),
            _Argument(_MSGFLAGS, _Value(number32=_COPY)),
            _Argument(_VALUE, _Value(memory=_memory(value))),
            _Argument(_KEY, _Value(memory=_memory(key))),
            _Argument(_TIMESTAMP, _Value(number64=timestamp)),
        ]
        if headers:
            arguments.append(_Argument(_HEADERS, _Value(pointer=self._headers(headers))))
        array = (_Argument * len(arguments))(*arguments)
        assert self._library.rd_kafka_produceva(self._producer, array, len(arguments)) is None

    def flush(self) -> None:
        """Wait until everything is written."""
        assert self._library.rd_kafka_flush(self._producer, _FLUSH_MS) == 0

    def close(self) -> None:
        """Write what is left, and end."""
        self.flush()
        self._library.rd_kafka_destroy(self._producer)

    def _headers(self, headers: RawHeaders) -> int:
        made: int = self._library.rd_kafka_headers_new(len(headers))
        for name, value in headers:
            size = 0 if value is None else len(value)
            assert self._library.rd_kafka_header_add(made, name, len(name), value, size) == 0
        return made


def _memory(value: bytes | None) -> _Memory:
    return _Memory(value, 0 if value is None else len(value))


def _library() -> Any:
    (path,) = Path(confluent_kafka.__path__[0]).with_name("confluent_kafka.libs").glob("librdkafka*")
    library = ctypes.CDLL(str(path))
    size, pointer, text = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_char_p
    for name, answer, *arguments in (
        ("rd_kafka_conf_new", pointer),
        ("rd_kafka_conf_set", ctypes.c_int, pointer, text, text, text, size),
        ("rd_kafka_new", pointer, ctypes.c_int, pointer, text, size),
        ("rd_kafka_produceva", pointer, pointer, ctypes.POINTER(_Argument), size),
        ("rd_kafka_headers_new", pointer, size),
        ("rd_kafka_header_add", ctypes.c_int, pointer, text, size, text, size),
        ("rd_kafka_flush", ctypes.c_int, pointer, ctypes.c_int),
        ("rd_kafka_destroy", None, pointer),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = answer, arguments
    return library
