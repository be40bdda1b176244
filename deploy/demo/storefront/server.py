"""Serves the shop's files and tells its pages where checkout is. What a shop puts on any web server of its own.

The pages talk to checkout and to Stripe directly; nothing that a customer types passes through here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

SITE = Path(__file__).parent / "site"
STRIPE_ITSELF = "https://api.stripe.com"

PAGES = {"/": "index.html", "/checkout": "checkout.html", "/order": "order.html"}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# What Stripe.js needs (docs.stripe.com/security/guide, "Content Security Policy").
STRIPE_SCRIPTS = "https://js.stripe.com https://*.js.stripe.com"
STRIPE_FRAMES = f"{STRIPE_SCRIPTS} https://hooks.stripe.com"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # after 3-D Secure the page's address holds a client secret for a moment
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Shop:
    checkout_url: str
    stripe_url: str = STRIPE_ITSELF

    @property
    def is_standin(self) -> bool:
        return self.stripe_url != STRIPE_ITSELF

    def policy(self) -> str:
        """What the pages may load and whom they may talk to: us, checkout and Stripe, and nobody else."""
        scripts, frames = ("", "'none'") if self.is_standin else (f" {STRIPE_SCRIPTS}", STRIPE_FRAMES)
        rules = {
            "default-src": "'none'",
            "script-src": f"'self'{scripts}",
            "style-src": "'self'",
            "img-src": "'self'",
            "connect-src": f"'self' {self.checkout_url} {self.stripe_url}",
            "frame-src": frames,
            "form-action": "'none'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        return "; ".join(f"{name} {value}" for name, value in rules.items())

    def config(self) -> dict[str, object]:
        stripe = {"standin_url": self.stripe_url} if self.is_standin else {}
        return {"checkout_url": self.checkout_url, "currencies": ["usd", "eur"], "stripe": stripe}


def make_app(shop: Shop) -> web.Application:
    app = web.Application()
    headers = {
        **HEADERS,
        "Content-Security-Policy": shop.policy(),
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()"
        + (", payment=()" if shop.is_standin else ', payment=(self "https://js.stripe.com")'),
    }

    async def put_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)

    async def config(_: web.Request) -> web.Response:
        return web.json_response(shop.config())

    app.on_response_prepare.append(put_headers)
    app.router.add_get("/config.json", config)
    app.router.add_get("/healthz", config)
    for path, name in PAGES.items():
        app.router.add_get(path, _file(SITE / name))
    for file in sorted(SITE.rglob("*")):
        if file.suffix in TYPES and file.suffix != ".html":
            app.router.add_get(f"/{file.relative_to(SITE).as_posix()}", _file(file))
    return app


def _file(path: Path) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Read once, at the start: no path of a request ever reaches the disk."""
    body = path.read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=TYPES[path.suffix], charset="utf-8")

    return answer
