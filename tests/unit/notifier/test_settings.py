"""Settings that can't be right stop the process."""

import pytest
from pydantic import ValidationError

from services.notifier.settings import NotifierSettings
from tests.unit.notifier.letters import settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"link_key": ""}, "link_key"),
        ({"sender": "KCT <orders@shop.example>"}, "sender"),
        ({"sender": "orders@shop.example\r\nBcc: eve@example.com"}, "sender"),
        ({"shop_name": "KCT\r\nBcc: eve@example.com"}, "shop_name"),
        ({"order_url": "https://shop.example/orders/{order_id}"}, "order_url"),
        ({"order_url": "https://shop.example/{order_id.x}?{token}"}, "order_url"),
        ({"order_url": "javascript:{order_id}{token}"}, "order_url"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"accent_colour": "#c0c0c0"}, "too light"),
        ({"accent_colour": "red"}, "accent_colour"),
        ({"smtp_username": "kct"}, "go together"),
        ({"smtp_username": "kct", "smtp_password": "secret_standin"}, "without TLS"),
        ({"lease_s": 60}, "lease_s"),
        ({"journal_days": 3}, "journal_days"),
        ({"backoff_s": ()}, "backoff_s"),
        ({"inbox_days": 30}, "inbox_days"),
    ],
)
def test_a_setting_that_can_not_be_right_is_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        settings(**wrong)


def test_secrets_and_addresses_have_no_default():
    required = {name for name, field in NotifierSettings.model_fields.items() if field.is_required()}
    assert required == {"database_url", "amqp_url", "sender", "order_url", "link_key", "smtp_host"}


def test_passwords_are_not_shown():
    shown = repr(settings(smtp_tls="tls", smtp_username="kct", smtp_password="secret_standin"))
    assert "secret_standin" not in shown
    assert "link_key_standin" not in shown
