"""The pages for staff: plain HTML, one style sheet, no script, nothing from elsewhere."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import jinja2

HERE = Path(__file__).resolve().parent
TYPES = {".css": "text/css", ".svg": "image/svg+xml"}


class Pages:
    """The templates and static files, read once."""

    def __init__(self) -> None:
        self.static: Mapping[str, tuple[bytes, str]] = {
            path.name: (path.read_bytes(), TYPES[path.suffix]) for path in sorted((HERE / "static").iterdir())
        }
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,  # a deployment that replaces files under us must not mix two releases
        )
        self._templates.filters["moment"] = _moment
        # A browser may keep what it has as long as the content is the same.
        versions = {name: hashlib.sha256(body).hexdigest()[:12] for name, (body, _) in self.static.items()}
        self._templates.globals["versions"] = versions
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def render(self, name: str, **values: object) -> str:
        return self._templates.get_template(name).render(**values)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
