"""The status page: one document without anything from elsewhere, made of the files in this folder."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its content security policy.

    Attributes:
        body: HTML in UTF-8.
        policy: allows its own style and script, and requests to this server.
    """

    body: bytes
    policy: str

    @classmethod
    def of(cls, template: str, **parts: str) -> Page:
        """Fill in a template in which `{{style}}`, `{{script}}` and other parts are named.

        The policy names the hashes of style and script, so that no other one runs.
        """
        for name, text in parts.items():
            template = template.replace(f"{{{{{name}}}}}", text)
        style, script = (_source_of(parts.get(name)) for name in ("style", "script"))
        policy = (
            f"default-src 'none'; style-src {style}; script-src {script}; connect-src 'self'; img-src data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return cls(template.encode(), policy)


def text_of(name: str) -> str:
    """One of the files of this folder."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def status_page() -> Page:
    """The page at `/`."""
    script = text_of("charts.js") + text_of("page.js")
    return Page.of(text_of("status.html"), style=text_of("style.css"), script=script)


def _source_of(text: str | None) -> str:
    """The policy's source expression for a text within the page."""
    if text is None:
        return "'none'"
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
