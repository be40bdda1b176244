"""A process with settings that would leave the door open does not start."""

import pytest
from pydantic import ValidationError

from services.webhooks.settings import WebhooksSettings
from shared.settings import load

REQUIRED = {
    "WEBHOOKS_DATABASE_URL": "postgresql://localhost/kct",
    "WEBHOOKS_AMQP_URL": "amqp://localhost/",
    "WEBHOOKS_LIVEMODE": "false",
    "WEBHOOKS_STRIPE_SECRETS": "whsec_test_standin",
}


@pytest.fixture
def environment(monkeypatch):
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def values() -> list[str]:
    return [secret.value for secret in load(WebhooksSettings).stripe_secrets]


@pytest.mark.parametrize(
    ("value", "secrets"),
    [
        ("whsec_one", ["whsec_one"]),
        ("whsec_one,whsec_two", ["whsec_one", "whsec_two"]),
        (" whsec_one , whsec_two ", ["whsec_one", "whsec_two"]),
        ('["whsec_one", "whsec_two"]', ["whsec_one", "whsec_two"]),
        ("new = whsec_one, old = whsec_two; until=2999-01-01T00:00Z", ["whsec_one", "whsec_two"]),
        ("new=whsec_one; until=2020-01-01T00:00Z, whsec_two", ["whsec_one", "whsec_two"]),
    ],
)
def test_secrets_are_given_by_commas_or_as_json(environment, value, secrets):
    environment.setenv("WEBHOOKS_STRIPE_SECRETS", value)
    assert values() == secrets


def test_secrets_can_lie_in_a_file_which_is_known_for_later(environment, tmp_path):
    environment.delenv("WEBHOOKS_STRIPE_SECRETS")
    (tmp_path / "secrets").write_text("whsec_one,whsec_two\n")
    environment.setenv("WEBHOOKS_STRIPE_SECRETS_FILE", str(tmp_path / "secrets"))
    assert values() == ["whsec_one", "whsec_two"]
    assert load(WebhooksSettings).stripe_secrets_file == tmp_path / "secrets"


def test_secrets_that_have_all_expired_stop_the_process(environment, capsys):
    environment.setenv("WEBHOOKS_STRIPE_SECRETS", "a=whsec_one; until=2020-01-01T00:00Z")
    with pytest.raises(SystemExit) as stopped:
        load(WebhooksSettings)
    said = capsys.readouterr().err
    assert stopped.value.code == 78
    assert "expired" in said
    assert "whsec_one" not in said


@pytest.mark.parametrize(
    "value", ["", " ", ",", "whsec_one,", "[]", '[""]', '["whsec_one", " "]', "[whsec_one", "[5]", "sk_test_one"]
)
def test_an_empty_secret_stops_the_process(environment, capsys, value):
    environment.setenv("WEBHOOKS_STRIPE_SECRETS", value)
    with pytest.raises(SystemExit) as stopped:
        load(WebhooksSettings)
    said = capsys.readouterr().err
    assert stopped.value.code == 78
    assert "WEBHOOKS_STRIPE_SECRETS" in said
    assert "whsec_one" not in said


@pytest.mark.parametrize("name", REQUIRED)
def test_what_has_no_default_has_to_be_there(environment, capsys, name):
    environment.delenv(name)
    with pytest.raises(SystemExit):
        load(WebhooksSettings)
    assert name in capsys.readouterr().err


def test_the_check_of_the_time_can_not_be_switched_off(environment):
    environment.setenv("WEBHOOKS_TOLERANCE_S", "0")
    with pytest.raises(ValidationError):
        WebhooksSettings()


def test_secrets_do_not_show(environment):
    assert "whsec_test_standin" not in repr(WebhooksSettings())
