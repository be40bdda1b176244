"""Settings of the monitor; the environment variables are these names in capitals behind MONITOR_."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import orjson
from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.monitor.domain.facts import Limits
from services.monitor.domain.incidents import Patience
from shared.settings import Secret, ServiceSettings

Names = Annotated[tuple[str, ...], NoDecode]


class MonitorSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="MONITOR_", frozen=True)

    # What is watched. Lists are written with commas.
    expected_services: Names = ("checkout", "webhooks", "notifier", "monitor")
    probe_urls: Names = Field(default=(), description="service=url pairs, asked while the broker is away")
    page_url: str | None = Field(default=None, description="the page's address as people reach it, for messages")

    # When something is wrong. Times are in seconds.
    evaluate_s: float = Field(default=5.0, gt=0)
    silent_after_s: float = Field(default=30.0, gt=0)
    stale_after_s: float = Field(default=30.0, gt=0, description="figures older than this are not exposed")
    broker_away_after_s: float = Field(default=10.0, gt=0)
    database_away_after_s: float = Field(default=30.0, gt=0, description="longer than PostgreSQL takes to restart")
    probe_s: float = Field(default=5.0, gt=0)
    payment_window_s: float = Field(default=900.0, gt=0)
    payment_target: float = Field(default=0.7, gt=0, lt=1)
    payment_floor: int = Field(default=10, ge=1, description="fewer finished payment tries say nothing")
    payment_failures: int = Field(default=3, ge=1, description="fewer failed tries never raise an incident")
    auditor_url: Secret | None = Field(default=None, description="the auditor's database login, for the invariants")
    invariants_s: float = Field(default=180.0, gt=0, description="how often the invariants are checked")
    dead_letters_critical: int = Field(default=100, ge=1)
    refund_patience_s: float = Field(default=600.0, gt=0, description="for money that is given back by itself")
    security_window_s: float = Field(default=900.0, gt=0, description="quiet for so long: a security incident is over")
    dispute_urgent_s: float = Field(default=259_200.0, gt=0, description="a dispute due within that is critical")
    reconciliation_overdue_s: float = Field(default=14_400.0, gt=0, description="several times checkout's idle pause")
    failing_within_s: float = Field(default=600.0, ge=60, le=900, description="of this answers and calls are judged")
    failing_floor: int = Field(default=5, ge=1, description="fewer failed answers or calls never raise an incident")
    mail_overdue_s: float = Field(default=600.0, gt=0, description="a due mail to a customer may wait for so long")
    clear_for_s: float = Field(default=15.0, gt=0, description="well for so long: resolved; several times evaluate_s")
    between_updates_s: float = Field(default=60.0, ge=0)
    reopen_within_s: float = Field(default=900.0, ge=0, description="back so soon: the same incident, reopened")

    # Who is told.
    slack_url: Secret | None = Field(default=None, description="address of a Slack incoming webhook")
    slack_pace_s: float = Field(default=1.0, gt=0, description="Slack takes about one message a second")
    alert_to: Names = ()
    alert_from: str | None = None
    smtp_host: str | None = None
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str | None = None
    smtp_password: Secret | None = None
    send_timeout_s: float = Field(default=10.0, gt=0)
    lease_s: float = Field(default=60.0, gt=0, description="a message whose sender died is sent again after")

    # What is kept and shown.
    keep_events_hours: int = Field(default=24, ge=6, description="what became of mails is judged over six hours")
    live_clients: int = Field(default=20, ge=1)

    @field_validator("expected_services", "probe_urls", "alert_to", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.startswith("["):
            return orjson.loads(value)
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """What contradicts itself stops the start, rather than the first alert."""
        for pair in self.probe_urls:
            name, _, url = pair.partition("=")
            if not name or urlsplit(url).scheme not in {"http", "https"}:
                raise ValueError("probe_urls has to be like checkout=http://host:8080,webhooks=http://host:8081")
        if self.slack_url and not self.slack_url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("slack_url has to be an address")
        mail = (self.smtp_host, self.alert_to, self.alert_from)
        if any(mail) and not all(mail):
            raise ValueError("mail needs all of smtp_host, alert_to and alert_from, or none of them")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("smtp_username and smtp_password go together")
        if self.smtp_username is not None and self.smtp_security == "none":
            raise ValueError("a password is not sent over a connection without TLS: set smtp_security")
        if self.lease_s < 2 * self.send_timeout_s:
            raise ValueError("lease_s has to be at least twice send_timeout_s, or messages are sent twice")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Where messages go."""
        return (("slack",) if self.slack_url else ()) + (("mail",) if self.smtp_host else ())

    @property
    def page(self) -> str:
        return self.page_url or f"http://{self.host}:{self.port}/"

    def probes(self) -> dict[str, str]:
        """The /readyz of each service that may be asked directly."""
        pairs = (pair.partition("=") for pair in self.probe_urls)
        return {name: f"{url.rstrip('/')}/readyz" if urlsplit(url).path in {"", "/"} else url for name, _, url in pairs}

    def limits(self) -> Limits:
        return Limits(
            expected_services=self.expected_services,
            probed_services=tuple(self.probes()),
            silent_after=timedelta(seconds=self.silent_after_s),
            broker_away_after=timedelta(seconds=self.broker_away_after_s),
            database_away_after=timedelta(seconds=self.database_away_after_s),
            payment_window=timedelta(seconds=self.payment_window_s),
            payment_target=self.payment_target,
            payment_floor=self.payment_floor,
            payment_failures=self.payment_failures,
            dead_letters_critical=self.dead_letters_critical,
            refund_patience=timedelta(seconds=self.refund_patience_s),
            security_window=timedelta(seconds=self.security_window_s),
            dispute_urgent=timedelta(seconds=self.dispute_urgent_s),
            failing_within=timedelta(seconds=self.failing_within_s),
            failing_floor=self.failing_floor,
            mail_overdue_after=timedelta(seconds=self.mail_overdue_s),
            reconciliation_overdue=timedelta(seconds=self.reconciliation_overdue_s),
        )

    def patience(self) -> Patience:
        return Patience(
            clear_for=timedelta(seconds=self.clear_for_s),
            between_updates=timedelta(seconds=self.between_updates_s),
            reopen_within=timedelta(seconds=self.reopen_within_s),
        )
