"""Starts the stand-in: `python -m deploy.standins.stripe --port PORT --webhook-url … --webhook-secret …`."""

import argparse
import asyncio
import contextlib

from aiohttp import web

from deploy.standins.stripe.app import make_app
from deploy.standins.stripe.config import FAST_RETRY_STEPS_S, Config, Endpoint


def main() -> None:
    arguments = _arguments()
    endpoints: tuple[Endpoint, ...] = ()
    if arguments.webhook_url:
        endpoints = (Endpoint(arguments.webhook_url, tuple(arguments.webhook_secret)),)
    config = Config(
        endpoints=endpoints,
        retry_steps_s=tuple(arguments.retry_step or FAST_RETRY_STEPS_S),
        capture_delay_s=arguments.capture_delay,
        latency_s=tuple(arguments.latency),
        requests_per_s=arguments.requests_per_s,
        requests_per_s_and_endpoint=arguments.requests_per_s_and_endpoint,
        seed=arguments.seed,
    )
    print(f"Stand-in for Stripe (not Stripe) on http://{arguments.host}:{arguments.port}", flush=True)
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    web.run_app(make_app(config), host=arguments.host, port=arguments.port, access_log=None, print=None)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy.standins.stripe", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook-url", help="where events are sent")
    parser.add_argument("--webhook-secret", action="append", default=[], help="may be repeated while one is rolled")
    parser.add_argument(
        "--retry-step", type=float, action="append", help="seconds to the next attempt; may be repeated"
    )
    parser.add_argument("--capture-delay", type=float, default=1.0, help="seconds until charge.updated")
    parser.add_argument("--latency", type=float, nargs=2, default=(0.0, 0.0), metavar=("FROM", "TO"), help="seconds")
    parser.add_argument("--requests-per-s", type=float, help="rate limit of the account")
    parser.add_argument("--requests-per-s-and-endpoint", type=float, help="rate limit of each endpoint")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.webhook_url and not arguments.webhook_secret:
        parser.error("--webhook-url needs at least one --webhook-secret")
    return arguments


if __name__ == "__main__":
    main()
