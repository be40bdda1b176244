"""Where everything is, for people and for `build/demo.json`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Addresses:
    checkout_url: str
    webhooks_url: str
    notifier_url: str
    monitor_url: str
    storefront_url: str
    dashboard_url: str
    stripe_url: str
    stripe_control_url: str | None  # None: Stripe itself
    mail_url: str
    slack_url: str
    webhook_secret: str = field(repr=False)
    database_url: str = field(repr=False)  # the owner's
    amqp_url: str = field(repr=False)
    rabbitmq_management_url: str | None = field(repr=False)

    @property
    def webhook_address(self) -> str:
        """Where Stripe sends its events."""
        return f"{self.webhooks_url}/webhooks/stripe"

    def write(self, file: Path, pids: Mapping[str, list[int]]) -> None:
        """As one step: whoever reads it sees the old file or the new one, never half of it."""
        document: dict[str, Any] = {**self.__dict__, "pids": dict(pids)}
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.touch(0o600)
        draft.write_text(json.dumps(document, indent=2) + "\n")
        os.replace(draft, file)
