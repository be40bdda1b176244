"""`python -m deploy.demo.storefront --port 8090 --checkout-url http://… --stripe-url http://…`: serves the shop."""

import argparse

from aiohttp import web

from deploy.demo.storefront.server import STRIPE_ITSELF, Shop, make_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.storefront", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--checkout-url", required=True, help="where checkout is; we are in its CORS_ORIGINS")
    parser.add_argument("--stripe-url", default=STRIPE_ITSELF, help="the stand-in's address, if it isn't Stripe itself")
    given = parser.parse_args()
    shop = Shop(given.checkout_url.rstrip("/"), given.stripe_url.rstrip("/"))
    web.run_app(make_app(shop), host=given.host, port=given.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
