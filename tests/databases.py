"""Fixtures: a migrated database with its own roles, made once per run, and emptied before each test that asks."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from shared import migrate, roles


@dataclass(frozen=True)
class Database:
    """`owner_url` may do everything; `url(service)` is that service's own login."""

    owner_url: str
    prefix: str
    passwords: dict[str, str]

    def url(self, service: str) -> str:
        role = f"{self.prefix}_{service}"
        parts = urlsplit(self.owner_url)
        netloc = f"{role}:{self.passwords[role]}@{parts.hostname}:{parts.port or 5432}"
        return urlunsplit(parts._replace(netloc=netloc))

    @property
    def auditor_url(self) -> str:
        return self.url("auditor")


def new_passwords(prefix: str) -> dict[str, str]:
    return {f"{prefix}_{name}": secrets.token_hex(12) for name in (*roles.SERVICES, "auditor")}


@pytest.fixture(scope="session")
async def database(backing) -> Database:
    prefix = f"t{secrets.token_hex(4)}"
    passwords = new_passwords(prefix)
    await migrate.migrate(backing.database_url, prefix, passwords)
    return Database(backing.database_url, prefix, passwords)


@pytest.fixture
async def owner(database) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may look at everything, for arranging and asserting."""
    conn = await asyncpg.connect(database.owner_url)
    yield conn
    await conn.close()


@pytest.fixture
async def clean(database, owner) -> Database:
    """The database with every table empty but the audit trail and the record of migrations."""
    rows = await owner.fetch(
        """
        SELECT format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY($1::text[])
        """,
        [schema for schema in roles.SCHEMAS if schema != "audit"],
    )
    # Emptying a table costs new files for it and each index, even when nothing is in it: only those that are in use.
    asked = " UNION ALL ".join(
        f"SELECT '{row['name']}' AS name WHERE EXISTS (SELECT FROM {row['name']})" for row in rows
    )
    used = [row["name"] for row in await owner.fetch(asked)]
    if used:
        await owner.execute(f"TRUNCATE {', '.join(used)} CASCADE")
    return database
