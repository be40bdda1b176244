"""Settings: lists with commas, and what contradicts itself."""

import pytest
from pydantic import ValidationError

from services.monitor.settings import MonitorSettings

NEEDED = {
    "MONITOR_DATABASE_URL": "postgresql://kct_monitor@db/kct",
    "MONITOR_AMQP_URL": "amqp://broker/",
}


@pytest.fixture
def settings(monkeypatch):
    def make(**environment: str) -> MonitorSettings:
        for name, value in {**NEEDED, **environment}.items():
            monkeypatch.setenv(name, value)
        return MonitorSettings()

    return make


def test_lists_are_written_with_commas(settings):
    made = settings(
        MONITOR_EXPECTED_SERVICES="checkout, webhooks",
        MONITOR_PROBE_URLS="checkout=http://checkout:8080,webhooks=http://w:1/health?full=1",
    )

    assert made.expected_services == ("checkout", "webhooks")
    assert made.probes() == {"checkout": "http://checkout:8080/readyz", "webhooks": "http://w:1/health?full=1"}


def test_lists_may_be_json_too(settings):
    assert settings(MONITOR_EXPECTED_SERVICES='["checkout"]').limits().expected_services == ("checkout",)


def test_nobody_is_told_unless_it_says_whom(settings):
    assert settings().channels == ()


def test_slack_and_mail_are_channels_once_they_are_set(settings):
    made = settings(
        MONITOR_SLACK_URL="https://hooks.slack.example/services/x",
        MONITOR_SMTP_HOST="mail",
        MONITOR_ALERT_TO="a@example.com,b@example.com",
        MONITOR_ALERT_FROM="monitor@example.com",
    )

    assert made.channels == ("slack", "mail")
    assert "hooks.slack" not in repr(made)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONITOR_SLACK_URL", ""),
        ("MONITOR_SLACK_URL", "hooks.slack.example"),
        ("MONITOR_SMTP_HOST", "mail"),
        ("MONITOR_PROBE_URLS", "http://checkout:8080"),
        ("MONITOR_PROBE_URLS", "checkout=ftp://checkout"),
        ("MONITOR_LEASE_S", "15"),
        ("MONITOR_PAYMENT_TARGET", "1.5"),
        ("MONITOR_SILENT_AFTER_S", "0"),
    ],
)
def test_what_contradicts_itself_stops_the_start(settings, name, value):
    with pytest.raises(ValidationError):
        settings(**{name: value})


MAIL = {
    "MONITOR_SMTP_HOST": "mail",
    "MONITOR_ALERT_TO": "a@example.com",
    "MONITOR_ALERT_FROM": "monitor@example.com",
    "MONITOR_SMTP_USERNAME": "kct",
}


def test_a_password_is_sent_over_tls_only(settings):
    with pytest.raises(ValidationError, match="go together"):
        settings(**MAIL, MONITOR_SMTP_SECURITY="tls")
    with pytest.raises(ValidationError, match="without TLS"):
        settings(**MAIL, MONITOR_SMTP_PASSWORD="secret_standin", MONITOR_SMTP_SECURITY="none")

    made = settings(**MAIL, MONITOR_SMTP_PASSWORD="secret_standin", MONITOR_SMTP_SECURITY="starttls")
    assert made.channels == ("mail",)


def test_the_page_is_where_we_listen_unless_it_says_otherwise(settings):
    assert settings(MONITOR_PORT="8083").page == "http://127.0.0.1:8083/"
    assert settings(MONITOR_PAGE_URL="https://monitor.example.com/").page == "https://monitor.example.com/"
