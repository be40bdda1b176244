"""Brings a database to the state that this version needs: `python -m shared.migrate`.

Roles, schemas and numbered SQL files; each file runs once, in a transaction of its own, under a lock, so that two
deployments at once are harmless. A file that was applied may never be edited: its checksum is verified every time.

The services may run meanwhile: a file waits only a moment for a lock, since all that comes after it waits behind it.
"""

import asyncio
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.db import is_in_the_way
from shared.roles import SCHEMAS, SERVICES, RolesMissing, ensure_roles, set_password
from shared.settings import Secret, Settings, load

ROOT = Path(__file__).resolve().parent.parent
LOCK = 0x6B6374  # "kct": one migration at a time in a database

# While a migration waits for a table, everybody who wants that table waits behind it. So it soon steps back, lets them
# go first, and tries again. Sending a mail, for example, must record its outcome before its lease runs out.
LONGEST_WAIT_MS = 2000
STEP_BACK_S = 1.0
PATIENCE_S = 300.0

# Nobody here makes temporary tables, and whoever gets to run SQL of his own can't pass one off as a table of ours.
NO_TEMPORARY_TABLES = """
    DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$
"""

Owner = asyncpg.Connection  # the connection that owns everything
Report = Callable[[str], None]


class ChangedAfterwards(Exception):
    """A migration that was applied differs from the file: history was edited."""


class MigrateSettings(Settings):
    """`database_url` is the owner's. A service whose password is given may log in with it; others are left alone."""

    model_config = SettingsConfigDict(env_prefix="MIGRATE_", frozen=True)

    database_url: Secret
    role_prefix: str = Field(default="kct", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    checkout_password: Secret | None = None
    webhooks_password: Secret | None = None
    notifier_password: Secret | None = None
    monitor_password: Secret | None = None
    auditor_password: Secret | None = None

    def passwords(self) -> dict[str, str]:
        """The passwords that were given, by login role."""
        given = {name: getattr(self, f"{name}_password") for name in (*SERVICES, "auditor")}
        return {f"{self.role_prefix}_{name}": secret.get_secret_value() for name, secret in given.items() if secret}


@dataclass(frozen=True)
class Migration:
    """One SQL file, to be run in one schema."""

    schema: str
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def sql(self, prefix: str) -> str:
        return self.path.read_text(encoding="utf-8").replace("{{prefix}}", prefix).replace("{{schema}}", self.schema)


def migrations() -> list[Migration]:
    """All of them, in the order in which they run: what is shared first, then each service's own."""
    found = [Migration("audit", path) for path in sorted((ROOT / "shared/migrations").glob("*.sql"))]
    for service in SERVICES:
        found += [Migration(service, path) for path in sorted((ROOT / "shared/migrations/each").glob("*.sql"))]
        found += [Migration(service, path) for path in sorted((ROOT / f"services/{service}/migrations").glob("*.sql"))]
    return found


async def migrate(url: str, prefix: str, passwords: dict[str, str], report: Report = lambda _: None) -> int:
    """Migrates the database at `url` (its owner's); answers how many files were applied.

    Raises RolesMissing or ChangedAfterwards; a file that fails is rolled back whole and its error raised.
    """
    conn = await asyncpg.connect(url, timeout=10)
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", LOCK)
        if made := await ensure_roles(conn, prefix):
            report(f"{made} roles made")
        for role, password in passwords.items():
            await set_password(conn, role, password)
        await _prepare(conn, prefix)
        return await _apply(conn, prefix, report)
    finally:
        await conn.close()


async def _prepare(conn: "Owner[asyncpg.Record]", prefix: str) -> None:
    async with conn.transaction():
        await conn.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        await conn.execute(NO_TEMPORARY_TABLES)
        for schema in SCHEMAS:
            await conn.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            await conn.execute(f'GRANT USAGE ON SCHEMA {schema} TO "{prefix}_auditor"')
        for service in SERVICES:
            await conn.execute(
                f'GRANT USAGE ON SCHEMA {service} TO "{prefix}_{service}_worker", "{prefix}_{service}_request"'
            )
        await conn.execute(
            """
            CREATE TABLE IF NOT EXISTS audit.migrations (
                schema     text NOT NULL,
                name       text NOT NULL,
                checksum   text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                PRIMARY KEY (schema, name)
            );
            COMMENT ON TABLE audit.migrations IS 'Which SQL files have been applied, and what they said.';
            """
        )


async def _apply(conn: "Owner[asyncpg.Record]", prefix: str, report: Report) -> int:
    rows = await conn.fetch("SELECT schema, name, checksum FROM audit.migrations")
    applied = {(row["schema"], row["name"]): row["checksum"] for row in rows}
    done = 0
    for migration in migrations():
        known = applied.get((migration.schema, migration.name))
        if known is None:
            await _run_patiently(conn, migration, prefix, report)
            report(f"{migration.schema}: {migration.path.name} applied")
            done += 1
        elif known != migration.checksum:
            raise ChangedAfterwards(
                f"{migration.name} was applied to schema {migration.schema} and has been edited since; "
                "put it back as it was and write a new file"
            )
    return done


async def _run_patiently(conn: "Owner[asyncpg.Record]", migration: Migration, prefix: str, report: Report) -> None:
    """Runs one file when nobody is in its way. Raises LockNotAvailableError when somebody is for PATIENCE_S."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            await _run(conn, migration, prefix)
            return
        except asyncpg.PostgresError as error:
            if not is_in_the_way(error) or time.monotonic() > until:
                raise
            report(f"{migration.schema}: {migration.path.name} steps back: {error}")
        await asyncio.sleep(STEP_BACK_S)


async def _run(conn: "Owner[asyncpg.Record]", migration: Migration, prefix: str) -> None:
    async with conn.transaction():
        await conn.execute(f"SET LOCAL lock_timeout = {LONGEST_WAIT_MS}")
        await conn.execute(f"SET LOCAL search_path = {migration.schema}")
        await conn.execute(migration.sql(prefix))
        await conn.execute(
            "INSERT INTO audit.migrations (schema, name, checksum) VALUES ($1, $2, $3)",
            migration.schema,
            migration.name,
            migration.checksum,
        )


def main() -> None:
    """The command: applies what is missing and says so."""
    settings = load(MigrateSettings)
    url, prefix = settings.database_url.get_secret_value(), settings.role_prefix
    try:
        done = asyncio.run(migrate(url, prefix, settings.passwords(), print))
    except (RolesMissing, ChangedAfterwards) as error:
        sys.exit(f"migrate: {error}")
    except (OSError, asyncpg.PostgresError) as error:
        sys.exit(f"migrate: the database could not be migrated: {type(error).__name__}: {error}")
    print(f"migrate: {done} files applied" if done else "migrate: nothing to do")  # noqa: T201 (a command)


if __name__ == "__main__":
    main()
