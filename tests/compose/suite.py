"""The suite under compose: a project of its own name, ports, network and secrets, beside whatever else runs."""

import asyncio
import json
import os
import random
import secrets
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from deploy.compose.prepare import write_secrets
from deploy.demo.addresses import Addresses
from deploy.demo.private import free_ports
from deploy.demo.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT / "deploy/compose/dev.env"
PORTS = ("checkout", "webhooks", "monitor", "prometheus", "stripe", "slack", "mail")
SERVICES = ("checkout", "webhooks", "notifier", "monitor")
BUILDS_WITHIN_S = 900
STARTS_WITHIN_S = 420


class Suite:
    """`start()`, stories, `stop()`, after which nothing of it is left but the images."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self.project = f"kct-test-{secrets.token_hex(4)}"
        self.secrets = folder / "secrets"
        self._env_file = folder / "env"
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._report = report
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("COMPOSE_", "KCT_", "BUILDX_"))
        }

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def addresses(self) -> Addresses:
        """What a shopper and a watcher of the demo need; the database and the broker can't be reached from here."""
        return Addresses(
            checkout_url=self.url("checkout"),
            webhooks_url=self.url("webhooks"),
            notifier_url="",
            monitor_url=self.url("monitor"),
            storefront_url=f"{self.url('checkout')}/v1/products",
            dashboard_url=f"{self.url('monitor')}/dashboard",
            stripe_url=self.url("stripe"),
            stripe_control_url=f"{self.url('stripe')}/_control",
            mail_url=self.url("mail"),
            slack_url=self.url("slack"),
            webhook_secret="",
            database_url="",
            amqp_url="",
            rabbitmq_management_url=None,
        )

    # From nothing to running and back

    def start(self) -> None:
        write_secrets(self.secrets, is_dev=True)
        self._env_file.write_text(self._settings())
        self._report(f"compose project {self.project}: building the images")
        self.compose("build", "--quiet", within_s=BUILDS_WITHIN_S)
        self._report("starting everything, until all health checks are green")
        self.compose("up", "--detach", "--wait", "--quiet-pull", within_s=STARTS_WITHIN_S)

    def stop(self) -> None:
        """Takes it down with its data."""
        self._report("taking everything down, with its volumes; the images stay, as a cache for the next run")
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "20", within_s=300)

    def left_behind(self) -> dict[str, list[str]]:
        """What the engine still has of this project."""
        ours = ("--filter", f"label=com.docker.compose.project={self.project}", "--quiet")
        found = {
            "containers": self.docker("ps", "--all", *ours),
            "networks": self.docker("network", "ls", *ours),
            "volumes": self.docker("volume", "ls", *ours),
        }
        return {kind: output.split() for kind, output in found.items() if output.split()}

    def _settings(self) -> str:
        """The settings for development, on ports and a network of our own. What stands last counts."""
        subnet = f"10.{random.randrange(64, 255)}.{random.randrange(255)}.0/24"
        changed = {
            "KCT_ENV_FILE": str(self._env_file),
            "KCT_SECRETS": str(self.secrets),
            "KCT_SUBNET": subnet,
            "KCT_VERSION": "test",
            **{f"KCT_{name.upper()}_PORT": str(port) for name, port in self._ports.items()},
            "NOTIFIER_ORDER_URL": self.url("checkout") + "/orders/{order_id}?token={token}",
            "MONITOR_PAGE_URL": f"{self.url('monitor')}/dashboard",
        }
        return DEV.read_text() + "".join(f"{key}={value}\n" for key, value in changed.items())

    # Commands

    def compose(self, *arguments: str, within_s: float = 120, text: str = "") -> str:
        """`docker compose …`: what it said on stdout. Raises AssertionError with all of it if it ended badly."""
        fixed = ("--project-name", self.project, "--project-directory", str(ROOT), "--env-file", str(self._env_file))
        return self.docker("compose", *fixed, *arguments, within_s=within_s, text=text)

    def docker(self, *arguments: str, within_s: float = 60, text: str = "") -> str:
        done = subprocess.run(
            ["docker", *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=within_s,
            env=self._environment,
            check=False,
        )
        said = (
            f"docker {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        assert done.returncode == 0, said
        return done.stdout

    def inspect(self, service: str) -> dict[str, Any]:
        """The engine's word on the container of a service."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        found: dict[str, Any] = json.loads(self.docker("inspect", container))[0]
        return found

    def python(self, service: str, script: str, *arguments: str, within_s: float = 120) -> str:
        """Runs a script inside a service's container, with what that container has."""
        return self.compose("exec", "-T", service, "python", "-", *arguments, text=script, within_s=within_s)

    def ops(self, *arguments: str) -> str:
        return self.compose("run", "--rm", "-T", "--no-deps", "ops", *arguments)

    async def healthy(self, *services: str, within_s: float = 180) -> None:
        """Waits until these say that they can work."""

        async def probe() -> bool:
            states = [(await asyncio.to_thread(self.inspect, service))["State"] for service in services]
            return all(state["Running"] and state["Health"]["Status"] == "healthy" for state in states)

        await until(probe, f"{', '.join(services)} healthy", within_s)


class Watch:
    """What can be seen from outside: mails in Mailpit, figures in Prometheus."""

    def __init__(self, http: aiohttp.ClientSession, suite: Suite) -> None:
        self._http = http
        self._suite = suite

    async def mails(self, to: str) -> list[dict[str, Any]]:
        """The mails to an address, whole, newest first."""
        api = f"{self._suite.url('mail')}/api/v1"
        listed = (await self._json(f"{api}/messages?limit=500"))["messages"]
        ours = [each["ID"] for each in listed if to in [address["Address"] for address in each["To"]]]
        return [await self._json(f"{api}/message/{number}") for number in ours]

    async def until_mailed(self, to: str, words: str, within_s: float = 120) -> dict[str, Any]:
        """The mail to this address with these words in its text."""

        async def probe() -> dict[str, Any] | None:
            return next((mail for mail in await self.mails(to) if words in mail["Text"]), None)

        return await until(probe, f"a mail to {to} with {words!r}", within_s)

    async def figure(self, query: str) -> float | None:
        """The value of a PromQL expression that has one; None as long as it has none."""
        url = f"{self._suite.url('prometheus')}/api/v1/query"
        async with self._http.get(url, params={"query": query}) as response:
            answer = await response.json()
        assert answer["status"] == "success", answer
        found = answer["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    async def until_figure(self, query: str, at_least: float, within_s: float = 120) -> None:
        async def probe() -> bool:
            value = await self.figure(query)
            return value is not None and value >= at_least

        await until(probe, f"{query} is at least {at_least:g} in Prometheus", within_s)

    async def _json(self, url: str) -> Any:
        async with self._http.get(url) as response:
            response.raise_for_status()
            return await response.json()


def new_folder() -> "tempfile.TemporaryDirectory[str]":
    """For the secrets of one run."""
    return tempfile.TemporaryDirectory(prefix="kct-compose-")
