"""HTML pages of the stand-ins for mail and Slack: templates, and headers that let nothing foreign in."""

from datetime import datetime
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
        "frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Pages:
    def __init__(self, templates: Path) -> None:
        self._templates = Environment(
            loader=FileSystemLoader([templates, Path(__file__).parent / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
        )
        self._templates.filters["clock"] = _clock

    def render(self, name: str, **values: object) -> web.Response:
        html = self._templates.get_template(name).render(values)
        return web.Response(text=html, content_type="text/html", headers=_HEADERS)


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S UTC")
