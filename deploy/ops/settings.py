"""Settings of the operator's commands: OPS_… in the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.settings import Secret, Settings


class OpsSettings(Settings):
    """`database_url` is checkout's login; a command that needs neither database nor broker ignores its setting."""

    model_config = SettingsConfigDict(env_prefix="OPS_", frozen=True)

    database_url: Secret
    amqp_url: Secret
    role_prefix: str = Field(default="kct", pattern=r"^[a-z][a-z0-9_]{0,30}$")
