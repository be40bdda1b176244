"""The database roles: one login per service, and inside it the two roles that its transactions take.

Roles belong to the whole cluster, so their names carry a prefix; two shops on one cluster have two prefixes.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass

import asyncpg

SERVICES = ("checkout", "webhooks", "notifier", "monitor")
SCHEMAS = (*SERVICES, "staff", "audit")


class RolesMissing(Exception):
    """The roles don't exist and this login may not create them; the message says what an administrator must run."""


@dataclass(frozen=True)
class Role:
    """A role and what it may be taken from: `member_of` names roles that it may SET."""

    name: str
    can_login: bool
    member_of: tuple[str, ...] = ()


def roles(prefix: str) -> list[Role]:
    """Every role of the product, in the order in which they can be created."""
    found = []
    for service in SERVICES:
        inner = (f"{prefix}_{service}_request", f"{prefix}_{service}_worker")
        found += [Role(name, can_login=False) for name in inner]
        found.append(Role(f"{prefix}_{service}", can_login=True, member_of=inner))
    # May read every schema, for invariants and scans; its own policies let it see every row.
    found.append(Role(f"{prefix}_auditor", can_login=True))
    return found


def statements(role: Role) -> list[str]:
    """The SQL that makes a role. NOINHERIT: a login has no rights of its own, only those it takes in a transaction."""
    login = "LOGIN" if role.can_login else "NOLOGIN"
    made = [f'CREATE ROLE "{role.name}" {login} NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS']
    return made + [f'GRANT "{inner}" TO "{role.name}"' for inner in role.member_of]


async def ensure_roles(conn: "asyncpg.Connection[asyncpg.Record]", prefix: str) -> int:
    """Creates the roles that are missing; answers how many. Raises RolesMissing when this login may not."""
    existing = {row["rolname"] for row in await conn.fetch("SELECT rolname FROM pg_roles")}
    missing = [role for role in roles(prefix) if role.name not in existing]
    try:
        for role in missing:
            for statement in statements(role):
                await conn.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        wanted = ";\n  ".join(statement for role in missing for statement in statements(role))
        raise RolesMissing(
            f"this login may not create roles ({error}). Let an administrator run:\n  {wanted};\nand start again."
        ) from error
    return len(missing)


async def set_password(conn: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    """Gives a login its password; what travels, and may be logged by the server, is only its SCRAM verifier."""
    statement = await conn.fetchval(
        "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, verifier(password)
    )
    await conn.execute(statement)


def verifier(password: str) -> str:
    """What PostgreSQL stores of a password under scram-sha-256 (RFC 5803). Passwords here are machine-made ASCII."""
    salt, iterations = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


async def drop_roles(conn: "asyncpg.Connection[asyncpg.Record]", prefix: str) -> None:
    """Drops every role of the prefix. The databases that used them must be gone already."""
    for role in reversed(roles(prefix)):
        await conn.execute(f'DROP ROLE IF EXISTS "{role.name}"')
