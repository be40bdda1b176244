"""Which service a document is about. Apart from what builds the document, which needs all of `shared.web`."""

from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class About:
    """The service whose document it is, in a few words."""

    name: str
    summary: str


ABOUT = web.AppKey("ABOUT", About)
