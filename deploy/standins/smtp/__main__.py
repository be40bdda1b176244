"""Starts the stand-in: `python -m deploy.standins.smtp --smtp-port 1025 --http-port 8025`."""

import argparse
import asyncio
import signal

from deploy.standins.smtp.standin import SmtpStandIn


async def run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    standin = SmtpStandIn(arguments.host)
    async with standin.running(arguments.smtp_port, arguments.http_port):
        print(f"Stand-in for a mail server on {standin.host}:{standin.smtp_port}", flush=True)
        print(f"Its mails: {standin.http_url}", flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.standins.smtp", description="A stand-in for a mail server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
