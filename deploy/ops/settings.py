"""Settings of the operator's commands: OPS_… in the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

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
