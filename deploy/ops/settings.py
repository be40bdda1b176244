"""Settings of the operator's commands: OPS_… in the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.errors import Invalid
from shared.settings import Secret, Settings


class OpsSettings(Settings):
    """`database_url` is checkout's login, `webhooks_database_url` that of webhooks, for the commands about its events.

    A command that needs neither database nor broker ignores its setting.
    """

    model_config = SettingsConfigDict(env_prefix="OPS_", frozen=True)

    database_url: Secret
    webhooks_database_url: Secret | None = None
    amqp_url: Secret
    role_prefix: str = Field(default="kct", pattern=r"^[a-z][a-z0-9_]{0,30}$")

    def webhooks_database(self) -> str:
        """The login of webhooks, for the commands that need it; raises Invalid when it isn't set."""
        if self.webhooks_database_url is None:
            raise Invalid("this command needs OPS_WEBHOOKS_DATABASE_URL, the login of webhooks")
        return self.webhooks_database_url.get_secret_value()
