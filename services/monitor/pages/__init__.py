"""The live page: rendered whole for whoever opens it, and in sections for those who stay."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from shared.money import Money, UnknownCurrency

HERE = Path(__file__).resolve().parent

# Parts of the page that change on their own, and so are sent on their own.
SECTIONS = ("headline", "services", "figures", "incidents", "events")

CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class StaticFile:
    body: bytes
    content_type: str

    @property
    def version(self) -> str:
        """Changes with the content, so that a browser may keep what it has."""
        return hashlib.sha256(self.body).hexdigest()[:12]


class Pages:
    """The templates and static files, read once. `status` is a StatusView."""

    def __init__(self) -> None:
        self.static: Mapping[str, StaticFile] = {
            path.name: StaticFile(path.read_bytes(), CONTENT_TYPES[path.suffix])
            for path in sorted((HERE / "static").iterdir())
            if path.suffix in CONTENT_TYPES
        }
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # a deployment that replaces files under us must not mix two releases
        )
        self._templates.filters.update(clock=_clock, iso=_iso, percent=_percent)
        self._templates.globals["major"] = _major
        self._templates.globals["versions"] = {name: file.version for name, file in self.static.items()}

        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def page(self, status: object) -> str:
        return self._templates.get_template("page.html").render(status=status)

    def sections(self, status: object) -> dict[str, str]:
        """Each section's inner HTML by its id."""
        return {name: self._templates.get_template(f"{name}.html").render(status=status) for name in SECTIONS}


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _major(amount_minor: int, currency: str) -> str:
    try:
        return f"{Money(amount_minor, currency).major():,}"
    except UnknownCurrency:
        return f"{amount_minor:,} minor units of"
