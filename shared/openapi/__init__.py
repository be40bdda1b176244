"""The OpenAPI document of a service: each handler says what it takes and gives (`describe`), the rest is derived.

`document.py` builds it, `serving.py` serves it with a page to read; both are part of every app of `make_app`.
"""

from shared.openapi.describing import HTML, Answer, Content, Redirect, describe, form_of, refuses
from shared.openapi.parameters import Header, Parameter, Path, Query

__all__ = [
    "HTML",
    "Answer",
    "Content",
    "Header",
    "Parameter",
    "Path",
    "Query",
    "Redirect",
    "describe",
    "form_of",
    "refuses",
]
