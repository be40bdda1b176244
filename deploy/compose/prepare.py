"""What compose needs before its first start: secrets as files, and `.env`. Behind `make compose-secrets`.

    python3 deploy/compose/prepare.py [--dev] [--secrets build/secrets] [--env .env]

Nothing that exists is changed: run it again after an upgrade, and what is new is added. Standard library alone.
"""

import argparse
import secrets
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

MADE = (
    *(f"{name}_password" for name in ("owner", "checkout", "webhooks", "notifier", "monitor", "auditor", "rabbitmq")),
    "order_token_keys",
    "link_key",
)
# What only the shop has; the stand-ins' are no secrets.
GIVEN = {
    "stripe_secret_key": "sk_test_standin",
    "stripe_read_key": "rk_test_standin",
    "stripe_webhook_secret": "whsec_test_standin",
    "slack_url": "http://slack:8026/services/TSTANDIN/BSTANDIN/standin",
    "smtp_password": "",
}
NEEDED = ("stripe_secret_key", "stripe_webhook_secret")


def derived(made: dict[str, str]) -> dict[str, str]:
    """What contains a password and says nothing new."""
    services = ("checkout", "webhooks", "notifier", "monitor", "auditor")
    logins = {"owner": "kct_owner", **{name: f"kct_{name}" for name in services}}
    urls = {
        f"{name}_database_url": f"postgresql://{login}:{made[f'{name}_password']}@postgres:5432/kct"
        for name, login in logins.items()
    }
    broker = made["rabbitmq_password"]
    login = f"default_user = kct\ndefault_pass = {broker}\n"
    return {**urls, "amqp_url": f"amqp://kct:{broker}@rabbitmq:5672/", "rabbitmq_login": login}


def write_secrets(folder: Path, *, is_dev: bool) -> None:
    """The folder is ours alone; the files in it are readable, for the users that the containers run as."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    made = {name: _keep(folder / name, secrets.token_hex(24)) for name in MADE}
    for name, value in derived(made).items():
        _write(folder / name, value)
    for name, standin in GIVEN.items():
        _keep(folder / name, standin if is_dev else "")


def missing(folder: Path) -> list[str]:
    """What the shop still has to put there, or has to replace because it is a stand-in's."""
    return [name for name in NEEDED if (folder / name).read_text().strip() in {"", GIVEN[name]}]


def _keep(file: Path, value: str) -> str:
    if not file.exists():
        _write(file, value)
    return file.read_text().strip()


def _write(file: Path, value: str) -> None:
    file.write_text(value)
    file.chmod(0o644)


def main() -> None:
    """Writes what is missing; says what is still to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="stand-ins for Stripe, Slack and the mail server")
    parser.add_argument("--secrets", type=Path, default=ROOT / "build/secrets", help="folder (default: build/secrets)")
    parser.add_argument("--env", type=Path, default=ROOT / ".env", help="file with the settings (default: .env)")
    arguments = parser.parse_args()
    write_secrets(arguments.secrets, is_dev=arguments.dev)
    if not arguments.env.exists():
        shutil.copyfile(HERE / ("dev.env" if arguments.dev else "shop.env"), arguments.env)
    print(f"Secrets are in {arguments.secrets}, settings in {arguments.env}.")
    if not arguments.dev and (wanted := missing(arguments.secrets)):
        sys.exit(f"Put Stripe's own into {arguments.secrets}: {', '.join(wanted)}. Then read {arguments.env}.")


if __name__ == "__main__":
    main()
