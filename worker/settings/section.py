"""What the sections of worker.yaml have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from worker.settings.values import seconds


class Section(BaseModel):
    """A part of worker.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def lasting(text: str, description: str, **bounds: Any) -> Any:
    """A duration, with its default as written in YAML; greater than 0 unless `bounds` say otherwise."""
    bounds = bounds or {"gt": 0}
    return Field(
        default=seconds(text), description=description, json_schema_extra={"default": text}, **bounds
    )
