"""What the processes stand on: a database with its roles, and a place on the broker; both gone afterwards."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp
import asyncpg

from deploy.demo import databases
from deploy.demo.backing import Backing, NoBacking
from deploy.demo.vhost import given_vhost
from shared.roles import SCHEMAS, SERVICES, drop_roles

MANAGEMENT_PORT = 15672

Act = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[object]]


@dataclass(frozen=True)
class Database:
    """`owner_url` may do everything; `url(service)` is that service's own login."""

    owner_url: str = field(repr=False)
    prefix: str
    passwords: dict[str, str] = field(repr=False)  # by name: a service's, or "auditor"

    @classmethod
    def on(cls, owner_url: str, prefix: str) -> "Database":
        return cls(owner_url, prefix, {name: secrets.token_hex(16) for name in (*SERVICES, "auditor")})

    def url(self, name: str) -> str:
        parts = urlsplit(self.owner_url)
        server = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.prefix}_{name}:{self.passwords[name]}@{server}"))


@asynccontextmanager
async def own_database(backing: Backing, *, is_shared: bool) -> AsyncIterator[Database]:
    """A database nobody else uses. Roles belong to a whole server: on one that isn't ours alone they get a prefix
    of their own and are dropped at the end."""
    if backing.postgres is not None and not is_shared:
        yield Database.on(backing.database_url, "kct")  # it ends with its server
        return
    prefix = f"kct{secrets.token_hex(4)}"
    await _with_owner(backing.database_url, _refuse_without_roles)
    if await asyncio.to_thread(databases.may_create_database, backing.database_url):
        name = databases.fresh_name()
        database = Database.on(await asyncio.to_thread(backing.create_database, name), prefix)
        try:
            yield database
        finally:
            await asyncio.to_thread(backing.drop_database, name)
            await _with_owner(backing.database_url, lambda conn: drop_roles(conn, prefix))
        return
    await _with_owner(backing.database_url, _refuse_if_used)
    try:
        yield Database.on(backing.database_url, prefix)
    finally:
        await _with_owner(backing.database_url, _drop_schemas)
        await _with_owner(backing.database_url, lambda conn: drop_roles(conn, prefix))


@asynccontextmanager
async def own_broker(backing: Backing, *, is_shared: bool) -> AsyncIterator[str]:
    """A virtual host nobody else uses; the given one as it is where none can be made."""
    if backing.rabbitmq is not None and not is_shared:
        yield backing.amqp_url
        return
    management = backing.rabbitmq_management_url or _usual_management(backing.amqp_url)
    name = f"kct-{secrets.token_hex(4)}"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        if not await _make_vhost(http, management, name):
            async with given_vhost(backing.amqp_url, is_shared=is_shared):
                yield backing.amqp_url
            return
        try:
            yield urlunsplit(urlsplit(backing.amqp_url)._replace(path=f"/{quote(name, safe='')}"))
        finally:
            async with http.delete(f"{management}/api/vhosts/{name}"):
                pass


def _usual_management(amqp_url: str) -> str:
    parts = urlsplit(amqp_url)
    user, _, _ = parts.netloc.rpartition("@")
    return f"http://{user or 'guest:guest'}@{parts.hostname}:{MANAGEMENT_PORT}"


async def _make_vhost(http: aiohttp.ClientSession, management: str, name: str) -> bool:
    user = quote(urlsplit(management).username or "guest", safe="")
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    try:
        async with http.put(f"{management}/api/vhosts/{name}") as made:
            if made.status >= 300:
                return False
        async with http.put(f"{management}/api/permissions/{name}/{user}", json=rights) as allowed:
            return allowed.status < 300
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def _with_owner(url: str, act: Act) -> None:
    conn = await asyncpg.connect(url, timeout=10)
    try:
        await act(conn)
    finally:
        await conn.close()


async def _refuse_without_roles(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    query = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    if not await conn.fetchval(query):
        raise NoBacking(
            "DATABASE_URL's user may not create roles, and every service has its own. Give a user with CREATEROLE "
            "(and CREATEDB, for a database of our own), or unset DATABASE_URL for a private server."
        )


async def _refuse_if_used(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    query = "SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[])"
    if used := [row["nspname"] for row in await conn.fetch(query, list(SCHEMAS))]:
        raise NoBacking(
            f"The database of DATABASE_URL has schemas of ours already ({', '.join(used)}), and its user may not "
            "create another database. Give an empty database, or a user with CREATEDB and CREATEROLE."
        )


async def _drop_schemas(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    for schema in SCHEMAS:
        assert re.fullmatch("[a-z]+", schema)
        await conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
