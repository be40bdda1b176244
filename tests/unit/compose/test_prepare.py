"""What `make compose-secrets` writes, and that the settings it hands out exist."""

import stat
import subprocess
import sys

import pytest

from deploy.compose.prepare import GIVEN, HERE, MADE, missing, write_secrets
from deploy.ops.settings import OpsSettings
from services.checkout.settings import CheckoutSettings
from services.monitor.settings import MonitorSettings
from services.notifier.settings import NotifierSettings
from services.webhooks.settings import WebhooksSettings

SETTINGS = (CheckoutSettings, WebhooksSettings, NotifierSettings, MonitorSettings, OpsSettings)


def run(folder, *arguments):
    command = [sys.executable, str(HERE / "prepare.py"), "--secrets", str(folder / "s"), "--env", str(folder / "env")]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def contents(folder):
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_nobody_else_gets_into_the_folder_and_every_secret_differs(tmp_path):
    write_secrets(tmp_path / "s", is_dev=False)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    found = contents(tmp_path / "s")
    assert len({found[name] for name in MADE}) == len(MADE)
    assert all(len(found[name]) == 48 for name in MADE)


def test_running_it_again_changes_nothing(tmp_path):
    assert run(tmp_path, "--dev").returncode == 0
    before = contents(tmp_path / "s")
    (tmp_path / "env").write_text("mine")
    assert run(tmp_path, "--dev").returncode == 0
    assert contents(tmp_path / "s") == before
    assert (tmp_path / "env").read_text() == "mine"


def test_passwords_are_the_same_in_the_addresses_that_contain_them(tmp_path):
    write_secrets(tmp_path, is_dev=True)
    found = contents(tmp_path)
    for name in ("owner", "checkout", "webhooks", "notifier", "monitor", "auditor"):
        assert f"kct_{name}:{found[f'{name}_password']}@postgres:5432/kct" in found[f"{name}_database_url"]
    assert found["rabbitmq_password"] in found["amqp_url"]
    assert f"default_pass = {found['rabbitmq_password']}\n" in found["rabbitmq_login"]


def test_a_shop_is_told_what_only_it_has_and_nothing_is_printed_of_it(tmp_path):
    done = run(tmp_path)
    assert done.returncode != 0
    assert "stripe_secret_key, stripe_webhook_secret" in done.stderr
    (tmp_path / "s/stripe_secret_key").write_text("sk_test_of_the_shop")
    (tmp_path / "s/stripe_webhook_secret").write_text("whsec_of_the_shop")
    done = run(tmp_path)
    assert done.returncode == 0
    assert "of_the_shop" not in done.stdout + done.stderr


def test_a_standins_secrets_are_not_taken_for_a_shops(tmp_path):
    write_secrets(tmp_path, is_dev=True)
    assert missing(tmp_path) == ["stripe_secret_key", "stripe_webhook_secret"]
    assert (tmp_path / "stripe_webhook_secret").read_text() == GIVEN["stripe_webhook_secret"]


@pytest.mark.parametrize("name", ["dev.env", "shop.env"])
def test_every_setting_that_is_handed_out_exists(name):
    lines = [line.lstrip("#") for line in (HERE / name).read_text().splitlines()]
    given = {line.split("=", 1)[0] for line in lines if "=" in line and line.split("=", 1)[0].isupper()}
    known = {"COMPOSE_PROFILES"}
    for settings in SETTINGS:
        prefix = settings.model_config["env_prefix"]
        fields = {prefix + field.upper() for field in settings.model_fields}
        known |= fields | {f"{field}_FILE" for field in fields}
    assert given
    assert given <= known
