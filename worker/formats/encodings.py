"""How the records of one mapping file's topics are encoded: values and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from worker.formats.encoding import Encoding
from worker.formats.format import Format
from worker.formats.json_format import JsonFormat
from worker.formats.keys import written_key
from worker.formats.with_schema import SchemaFormat


@dataclass(frozen=True, slots=True)
class Encodings:
    """How values and keys are encoded.

    Attributes:
        value, key: what the mapping file says; None for keys that are text, where one that is not UTF-8 counts as none.
        values, keys: the same as formats.
    """

    value: Encoding = field(default_factory=Encoding)
    key: Encoding | None = None
    values: Format = field(default_factory=JsonFormat)
    keys: Format | None = None

    @property
    def needs_registry(self) -> bool:
        """Whether some records cannot be decoded without a schema registry."""
        return any(each.needs_registry for each in self._with_schema())

    def with_registry(self, *, keys: bool) -> list[SchemaFormat]:
        """The formats whose schemas come from a registry.

        Args:
            keys: whether keys are decoded.
        """
        return [each for each in self._with_schema(keys=keys) if each.needs_registry]

    def written(self) -> Encodings:
        """The encodings of records that people wrote for a dry run: their values are JSON."""
        keys = written_key(None if self.key is None else self.key.format)
        return replace(self, values=JsonFormat(), keys=keys)

    def _with_schema(self, *, keys: bool = True) -> Iterator[SchemaFormat]:
        for each in (self.values, self.keys if keys else None):
            if isinstance(each, SchemaFormat):
                yield each
