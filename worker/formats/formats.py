"""Every format by the word that mapping files use for it (`format:`)."""

from __future__ import annotations

from worker.formats.format import Format
from worker.formats.json_format import JsonFormat

FORMATS: dict[str, Format] = {"json": JsonFormat()}
