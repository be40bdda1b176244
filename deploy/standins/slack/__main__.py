"""Starts the stand-in: `python -m deploy.standins.slack --port 8026`."""

import argparse
import asyncio
import signal

from deploy.standins.slack.standin import SlackStandIn


async def run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with SlackStandIn(arguments.host).running(arguments.port) as standin:
        print(f"Stand-in for Slack on {standin.url}, its webhook: {standin.webhook_url}", flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.standins.slack", description="A stand-in for Slack")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8026)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
