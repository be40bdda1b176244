"""Settings of the operator's commands: OPS_… in the environment."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from shared.errors import Invalid
from shared.settings import Secret, Settings
from shared.stripe_client import STRIPE_API, Access


class OpsSettings(Settings):
    """`database_url` is checkout's login; those of webhooks and the notifier are for the commands about what is theirs.

    A command that needs neither database nor broker ignores its setting.
    """

    model_config = SettingsConfigDict(env_prefix="OPS_", frozen=True)

    database_url: Secret
    webhooks_database_url: Secret | None = None
    notifier_database_url: Secret | None = None
    amqp_url: Secret
    stripe_secret_key: Secret | None = Field(default=None, description="restricted: read only; for dry runs")
    stripe_url: str = STRIPE_API
    role_prefix: str = Field(default="kct", pattern=r"^[a-z][a-z0-9_]{0,30}$")

    @field_validator("stripe_secret_key", mode="before")
    @classmethod
    def _blank_is_none(cls, value: object) -> object:
        """An optional secret's file may be empty."""
        return None if isinstance(value, str) and not value.strip() else value

    def stripe_access(self) -> Access:
        """How Stripe is read, for the commands that need it; raises Invalid when it can't be."""
        if self.stripe_secret_key is None:
            raise Invalid("this command needs OPS_STRIPE_SECRET_KEY, a restricted key that may read; it writes nothing")
        return Access(self.stripe_secret_key.get_secret_value(), self.stripe_url)

    def webhooks_database(self) -> str:
        """The login of webhooks, for the commands that need it; raises Invalid when it isn't set."""
        if self.webhooks_database_url is None:
            raise Invalid("this command needs OPS_WEBHOOKS_DATABASE_URL, the login of webhooks")
        return self.webhooks_database_url.get_secret_value()

    def notifier_database(self) -> str:
        """The login of the notifier, for the command that needs it; raises Invalid when it isn't set."""
        if self.notifier_database_url is None:
            raise Invalid("this command needs OPS_NOTIFIER_DATABASE_URL, the login of the notifier")
        return self.notifier_database_url.get_secret_value()
