"""Settings of a process: typed, frozen, read from the environment once, in `__main__`.

Every setting `X` can also be given as a file whose path is in `X_FILE`: that is how secrets reach a container.
No secret has a default, and an empty one counts as missing.
"""

import os
import socket
import sys
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import orjson
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError

EXIT_CONFIGURATION = 78  # EX_CONFIG of sysexits.h: supervisors can tell it from a crash


T = TypeVar("T")


def _split(value: object) -> object:
    """Parts between commas, or a JSON list. An empty part is kept: it may be a secret that somebody forgot."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",")) if value.strip() else ()
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise ValueError("begins like a JSON list and is none") from None


# A list in one variable: `a, b, c`.
Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]

Secret = Annotated[SecretStr, Field(min_length=1)]
# Several secrets of one purpose, newest first, so that one can be rotated.
Secrets = Annotated[Listed[Secret], Field(min_length=1)]


class FileSource(EnvSettingsSource):
    """Reads `<PREFIX><FIELD>_FILE`: the value is what the file holds, without its last newline."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        name = f"{self.env_prefix}{field_name}_FILE"
        path = os.environ.get(name.upper())
        if not path:
            return None, field_name, False
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsFileUnreadable(f"{name.upper()}: {path} can't be read ({type(error).__name__})") from error
        return value, field_name, self.field_is_complex(field)


class SettingsFileUnreadable(Exception):
    """A `…_FILE` setting names a file that can't be read."""


class Settings(BaseSettings):
    """What every settings class shares: frozen, and readable from files."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, FileSource(settings_cls), env_settings


Network = IPv4Network | IPv6Network
ForwardedHeader = Literal["X-Forwarded-For", "Forwarded"]


@dataclass(frozen=True, slots=True)
class Trust:
    """Which proxies are believed, by their number or by their addresses, and in which header they speak.

    Never in both headers: a proxy that writes one passes the other on as the client sent it.
    """

    hops: int = 0
    networks: tuple[Network, ...] = ()
    header: ForwardedHeader = "X-Forwarded-For"


class ServiceSettings(Settings):
    """What every service needs. Times are in seconds."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    database_url: Secret
    amqp_url: Secret
    role_prefix: str = Field(default="kct", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    database_connections: int = Field(default=10, ge=2)
    trusted_hops: int = Field(default=0, ge=0, le=10, description="how many proxies stand in front of us")
    trusted_networks: Listed[Network] = Field(default=(), description="where they stand, instead of their number")
    forwarded_header: ForwardedHeader = Field(default="X-Forwarded-For", description="the one header they write")
    internal_networks: Listed[Network] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    cors_origins: Listed[str] = ()
    staff_origin: str | None = Field(
        default=None,
        pattern=r"^https://[a-z0-9.-]+(:[0-9]{1,5})?$",
        description="where staff reach their pages, such as https://staff.example.com; none: on this machine alone",
    )
    request_limit_per_minute: int = Field(default=600, ge=1, description="per client address")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    otlp_url: str | None = Field(default=None, description="base URL of an OTLP/HTTP collector; none: no export")
    instance: str = f"{socket.gethostname()}:{os.getpid()}"
    metrics_interval_s: float = Field(default=5.0, gt=0)
    drain_s: float = Field(default=10.0, gt=0, description="how long running work may take after SIGTERM")
    rest_s: float = Field(default=0.1, gt=0, description="pause of a job that found nothing to do")
    # Changing these on a live broker makes new queues: a queue's delay is part of its name.
    retry_steps_s: Listed[float] = Field(default=(5, 30, 300), min_length=1)
    prefetch: int = Field(default=20, ge=1, description="messages handled at once, per queue")

    @model_validator(mode="after")
    def _proxies_are_trusted_in_one_way(self) -> Self:
        """What can't be right together stops the start: a client that may write its own address is never noticed."""
        if self.trusted_hops and self.trusted_networks:
            raise ValueError("give trusted_hops or trusted_networks, not both: they may name two clients")
        if any(network.prefixlen == 0 for network in self.trusted_networks):
            raise ValueError("trusted_networks holds everybody: then each client may write its own address")
        if self.forwarded_header != "X-Forwarded-For" and not (self.trusted_hops or self.trusted_networks):
            raise ValueError("forwarded_header says how proxies speak; say in trusted_hops or trusted_networks which")
        return self

    @cached_property
    def trust(self) -> Trust:
        """Whom to believe about a client's address."""
        return Trust(self.trusted_hops, self.trusted_networks, self.forwarded_header)


S = TypeVar("S", bound=BaseSettings)


def load(settings_class: type[S]) -> S:
    """The settings from the environment; stops the process with a list of what is missing or wrong, never a value."""
    try:
        return settings_class()
    except SettingsError as error:
        problems = [str(error.__cause__ if isinstance(error.__cause__, SettingsFileUnreadable) else error)]
    except ValidationError as error:
        prefix = settings_class.model_config.get("env_prefix", "").upper()
        problems = [_describe(prefix, item["loc"], item["msg"]) for item in error.errors(include_input=False)]
    print("The settings are not complete:", *(f"  {line}" for line in problems), sep="\n", file=sys.stderr)  # noqa: T201 (logging isn't set up yet)
    raise SystemExit(EXIT_CONFIGURATION)


def _describe(prefix: str, location: tuple[int | str, ...], message: str) -> str:
    name = prefix + str(location[0]).upper() if location else "settings"
    return f"{name}: {message}"
