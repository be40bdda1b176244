"""The processes of the demo: what each is started with. Settings reach them through the environment alone."""

import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.demo.addresses import Addresses
from deploy.demo.ground import Database
from deploy.demo.keys import StripeKeys
from deploy.demo.private import free_ports
from deploy.demo.supervisor import Program
from deploy.demo.vhost import RETRY_STEPS_S

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("checkout", "webhooks", "notifier", "monitor")
HOST = "127.0.0.1"

#: Quick enough to be watched; nothing here is a recommendation for a shop.
SHARED_SETTINGS = {
    "ROLE_PREFIX": "",
    "METRICS_INTERVAL_S": "0.5",
    "REST_S": "0.05",
    "RETRY_STEPS_S": json.dumps(RETRY_STEPS_S),
    "REQUEST_LIMIT_PER_MINUTE": "100000",
    "DRAIN_S": "5",
}
ALERTS_TO = "duty@kct-menswear.example"
SENDER = "orders@kct-menswear.example"


@dataclass(frozen=True)
class Ports:
    checkout: int
    webhooks: int
    notifier: int
    monitor: int
    stripe: int
    smtp: int
    mail: int
    slack: int
    storefront: int

    @classmethod
    def free(cls, webhooks: int | None = None) -> "Ports":
        ports = cls(*free_ports(9))
        return cls(**{**ports.__dict__, "webhooks": webhooks}) if webhooks else ports


@dataclass(frozen=True)
class Setup:
    """All that the processes need to know of each other."""

    folder: Path
    ports: Ports
    database: Database
    amqp_url: str = field(repr=False)
    management_url: str | None = field(repr=False)
    keys: StripeKeys
    changes: Mapping[str, str] = field(default_factory=dict)  # settings by their whole name: CHECKOUT_RESERVATION_S
    stripe_arguments: tuple[str, ...] = ()
    link_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def url(self, name: str) -> str:
        return f"http://{HOST}:{getattr(self.ports, name)}"

    def addresses(self) -> Addresses:
        stripe = self.keys.url or self.url("stripe")
        return Addresses(
            **{f"{service}_url": self.url(service) for service in SERVICES},
            storefront_url=self.url("storefront"),
            dashboard_url=f"{self.url('monitor')}/dashboard",
            stripe_url=stripe,
            stripe_control_url=f"{stripe}/_control" if self.keys.is_standin else None,
            mail_url=self.url("mail"),
            slack_url=self.url("slack"),
            webhook_secret=self.keys.webhook_secret,
            database_url=self.database.owner_url,
            amqp_url=self.amqp_url,
            rabbitmq_management_url=self.management_url,
        )


def standins(setup: Setup) -> list[Program]:
    ports, addresses = setup.ports, setup.addresses()
    smtp = ("--smtp-port", str(ports.smtp), "--http-port", str(ports.mail))
    made = [
        _standin(setup, "smtp", smtp, f"{addresses.mail_url}/healthz"),
        _standin(setup, "slack", ("--port", str(ports.slack)), f"{addresses.slack_url}/healthz"),
    ]
    if setup.keys.is_standin:
        webhook = ("--webhook-url", addresses.webhook_address, "--webhook-secret", setup.keys.webhook_secret)
        stripe = ("--port", str(ports.stripe), "--capture-delay", "0.2", *webhook, *setup.stripe_arguments)
        made.append(_standin(setup, "stripe", stripe, f"{addresses.stripe_control_url}/state"))
    return made


def storefront(setup: Setup) -> Program:
    addresses = setup.addresses()
    given = ("--port", str(setup.ports.storefront), "--checkout-url", addresses.checkout_url)
    argv = (sys.executable, "-m", "deploy.demo.storefront", *given, "--stripe-url", addresses.stripe_url)
    return Program("storefront", argv, setup.logs / "storefront.log", health_url=f"{addresses.storefront_url}/healthz")


def services(setup: Setup) -> list[Program]:
    own = {
        "checkout": _checkout(setup),
        "webhooks": _webhooks(setup),
        "notifier": _notifier(setup),
        "monitor": _monitor(setup),
    }
    return [_service(setup, name, settings) for name, settings in own.items()]


def _standin(setup: Setup, name: str, arguments: tuple[str, ...], health_url: str) -> Program:
    argv = (sys.executable, "-m", f"deploy.standins.{name}", *arguments)
    return Program(f"standin-{name}", argv, setup.logs / f"standin-{name}.log", health_url=health_url)


def _service(setup: Setup, name: str, settings: Mapping[str, str]) -> Program:
    prefix = f"{name.upper()}_"
    given = {
        **SHARED_SETTINGS,
        "ROLE_PREFIX": setup.database.prefix,
        "HOST": HOST,
        "PORT": str(getattr(setup.ports, name)),
        "DATABASE_URL": setup.database.url(name),
        "AMQP_URL": setup.amqp_url,
        **settings,
    }
    env = {f"{prefix}{key}": value for key, value in given.items()}
    env.update({key: value for key, value in setup.changes.items() if key.startswith((prefix, "OTEL_"))})
    return Program(
        name,
        (sys.executable, "-m", f"services.{name}"),
        setup.logs / f"{name}.log",
        env=env,
        health_url=f"{setup.url(name)}/readyz",
    )


def _checkout(setup: Setup) -> dict[str, str]:
    return {
        "STRIPE_MODE": "test",
        "STRIPE_SECRET_KEY": setup.keys.secret,
        "STRIPE_PUBLISHABLE_KEY": setup.keys.publishable,
        "STRIPE_URL": setup.addresses().stripe_url,
        "ORDER_TOKEN_KEYS": secrets.token_urlsafe(32),
        "LINK_KEYS": setup.link_key,
        "RESERVATION_S": "900",  # a person may try the shop; the walk shortens its own abandoned order
        "CORS_ORIGINS": setup.url("storefront"),
        "LIVE_LOOK_S": "0.3",
        "BALANCE_REST_S": "5",
    }


def _webhooks(setup: Setup) -> dict[str, str]:
    given = {
        "STRIPE_SECRETS": setup.keys.webhook_secret,
        "LIVEMODE": "false",
        "EXTRA_SENDERS": "127.0.0.0/8",  # the stand-in, or Stripe's own command line tool that passes events on
        "SENDERS_URL": f"{setup.url('stripe')}/files/ips/ips_webhooks.json" if setup.keys.is_standin else "",
        "STRIPE_SECRET_KEY": setup.keys.secret,
        "STRIPE_URL": setup.addresses().stripe_url,
        "BACKFILL_STEP_S": "0.2",
        "OUTAGE_AFTER_S": "1",
    }
    if not setup.keys.is_standin:
        return given  # Stripe's own budget of reads, and an endpoint that somebody forwards to us
    quick = {"BACKFILL_INTERVAL_S": "2", "BACKFILL_IDLE_S": "5", "STRIPE_READS_PER_DAY": "1000000"}
    return {**given, **quick, "ENDPOINT_URL": setup.addresses().webhook_address, "ENDPOINT_CHECK_S": "5"}


def _notifier(setup: Setup) -> dict[str, str]:
    return {
        "SENDER": SENDER,
        "SUPPORT_EMAIL": "care@kct-menswear.example",
        "SHOP_ADDRESS": "KCT Menswear, 213 S Kalamazoo Mall, Kalamazoo, MI 49007, USA",
        "ORDER_URL": setup.url("checkout") + "/orders/{order_id}?token={token}",
        "LINK_KEY": setup.link_key,
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(setup.ports.smtp),
        "SMTP_TLS": "none",
        "FAILURE_GRACE_S": "1.5",
        "JOURNAL": str(setup.folder / "sent.journal"),
    }


def _monitor(setup: Setup) -> dict[str, str]:
    return {
        "PROBE_URLS": ",".join(f"{name}={setup.url(name)}" for name in SERVICES),
        "AUDITOR_URL": setup.database.url("auditor"),
        "INVARIANTS_S": "5",
        "PAGE_URL": f"{setup.url('monitor')}/dashboard",
        "SLACK_URL": f"{setup.url('slack')}/services/TSTANDIN/BSTANDIN/standin",
        "SLACK_PACE_S": "0.3",
        "ALERT_TO": json.dumps([ALERTS_TO]),
        "ALERT_FROM": "monitor@kct-menswear.example",
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(setup.ports.smtp),
        "EVALUATE_S": "0.5",
        "SILENT_AFTER_S": "3",
        "STALE_AFTER_S": "10",
        "CLEAR_FOR_S": "1.5",
        "REOPEN_WITHIN_S": "5",
        "PROBE_S": "1",
    }
