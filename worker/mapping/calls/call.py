"""One call, as builders make it and mappers return it."""

from __future__ import annotations

from typing import Any


class Call:  # noqa: PLW1641 - without a hash, because it may change
    """One call, made by a builder.

    Attributes:
        name: its name in rules and `allow`, such as `delete_device`.
        body: the call in the API's format, without its messageId. May be changed.
        event_id: the event's own unique id, if the mapper gave one.
        untouched: the name of the builder that assembled the body; None once `body` has been read or set. Until then,
            the checks made during assembly still hold for the body's own strings. They need not hold for the objects
            in it, which the mapper may also hold.
    """

    __slots__ = ("_body", "event_id", "name", "untouched")
    __match_args__ = ("name", "body", "event_id")

    def __init__(
        self,
        name: str,
        body: dict[str, Any],
        event_id: str | None = None,
    ) -> None:
        self.name = name
        self._body = body
        self.event_id = event_id
        self.untouched: str | None = None

    @property
    def body(self) -> dict[str, Any]:  # noqa: D102 - see the class
        self.untouched = None
        return self._body

    @body.setter
    def body(self, body: dict[str, Any]) -> None:
        self.untouched = None
        self._body = body

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return (self.name, self._body, self.event_id) == (other.name, other._body, other.event_id)

    def __repr__(self) -> str:
        return f"Call(name={self.name!r}, body={self._body!r}, event_id={self.event_id!r})"

    def __reduce__(self) -> tuple[type[Call], tuple[str, dict[str, Any], str | None]]:
        """A copy may share the body, so neither counts as untouched any more."""
        return type(self), (self.name, self.body, self.event_id)
