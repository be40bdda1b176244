"""The database roles: one login per service, and inside it the two roles that its transactions take.

Roles belong to the whole cluster, so their names carry a prefix; two shops on one cluster have two prefixes.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

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


def statements(role: Role, existing: Mapping[str, Sequence[str]]) -> list[str]:
    """The SQL of what is missing of a role; `existing` are those there are, with the roles that each may take.

    NOINHERIT: a login has no rights of its own, only those it takes in a transaction.
    """
    login = "LOGIN" if role.can_login else "NOLOGIN"
    made = f'CREATE ROLE "{role.name}" {login} NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS'
    taken = existing.get(role.name, ())
    grants = [f'GRANT "{inner}" TO "{role.name}"' for inner in role.member_of if inner not in taken]
    return grants if role.name in existing else [made, *grants]


async def ensure_roles(conn: "asyncpg.Connection[asyncpg.Record]", prefix: str) -> int:
    """Makes what is missing of the roles, all or nothing; answers of how many. Raises RolesMissing when this login
    may not."""
    existing = await _select_roles(conn)
    missing = [found for role in roles(prefix) if (found := statements(role, existing))]
    try:
        async with conn.transaction():
            for statement in chain.from_iterable(missing):
                await conn.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        wanted = ";\n  ".join(chain.from_iterable(missing))
        raise RolesMissing(
            f"this login may not create roles ({error}). Let an administrator run:\n  {wanted};\nand start again."
        ) from error
    return len(missing)


async def _select_roles(conn: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[str]]:
    rows = await conn.fetch(
        """
        SELECT r.rolname, ARRAY(SELECT t.rolname::text FROM pg_auth_members m JOIN pg_roles t ON t.oid = m.roleid
                                WHERE m.member = r.oid) AS taken
        FROM pg_roles r
        """
    )
    return {row["rolname"]: row["taken"] for row in rows}


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
