"""PostgreSQL: the pool, and the transactions that say who is asking.

A service logs in under its own role, which by itself may do almost nothing. Every transaction takes one of two roles:
`…_worker`, for jobs and consumers, or `…_request`, which row-level security confines to the rows of one order or one
idempotency key. So a query that forgot its WHERE clause still can't show one customer another's order.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from shared import tracing

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Connection: TypeAlias = object

# PostgreSQL 15 is the oldest that the migrations were tried on.
OLDEST_SERVER = 15


class Pool:
    """The service's connections. Borrow one as a transaction; there is no way to borrow it without a role."""

    def __init__(self, connections: "asyncpg.Pool[asyncpg.Record]", role: str) -> None:
        self._connections = connections
        self._role = role

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[Connection]:
        """A transaction of a job or a consumer: sees the rows of all customers."""
        async with self._transaction(f"SET LOCAL ROLE {self._role}_worker") as conn:
            yield conn

    @contextlib.asynccontextmanager
    async def request(self, **context: object) -> AsyncIterator[Connection]:
        """A transaction on behalf of a client: sees only the rows that `context` names, for example `order_id`."""
        async with self._transaction(f"SET LOCAL ROLE {self._role}_request") as conn:
            for name, value in context.items():
                await set_context(conn, name, value)
            yield conn

    async def is_reachable(self) -> bool:
        """Whether something can be written right now, for /readyz."""
        writable = "SELECT current_setting('transaction_read_only') = 'off'"
        try:
            return bool(await self._connections.fetchval(writable, timeout=2.0))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    @contextlib.asynccontextmanager
    async def _transaction(self, take_role: str) -> AsyncIterator[Connection]:
        with tracing.span("transaction", **{"db.system.name": "postgresql"}):
            async with self._connections.acquire() as conn:
                try:
                    async with conn.transaction():
                        await conn.execute(take_role)
                        yield conn
                except asyncpg.ReadOnlySQLTransactionError:
                    conn.terminate()  # at its other end may be what was the primary until a failover
                    raise


@contextlib.asynccontextmanager
async def open_session(url: str, service: str, role: str, timeout_s: float) -> AsyncIterator[Connection]:
    """A connection of its own that has taken one role for good: for a writer that does one thing, over and over.

    Raises what `is_database_away` knows when it can't be had in time; broken off when the block fails.
    """
    conn = await asyncpg.connect(url, timeout=timeout_s, server_settings=_server_settings(service))
    try:
        await conn.execute(f"SET ROLE {role}", timeout=timeout_s)
        yield conn
        await conn.close(timeout=timeout_s)
    finally:
        conn.terminate()


async def set_context(conn: Connection, name: str, value: object) -> None:
    """Tells row-level security, until the transaction ends, whose rows this is about."""
    await conn.execute("SELECT set_config($1, $2, true)", f"kct.{name}", str(value))


@contextlib.asynccontextmanager
async def open_pool(
    url: str, service: str, role_prefix: str = "kct", connections: int = 10, *, at_once: bool = True
) -> AsyncIterator[Pool]:
    """The connections of one service, closed when the block ends.

    Connecting raises UnsuitableServer for a PostgreSQL that is too old, OSError or asyncpg errors when it can't be
    reached: here if `at_once`, else wherever a connection is first wanted.
    """
    pool = asyncpg.create_pool(
        url,
        min_size=1 if at_once else 0,
        max_size=connections,
        command_timeout=30,
        init=_require_suitable,
        server_settings=_server_settings(service),
        # All we change on a connection is local to its transaction; asyncpg's own reset would cost a round trip.
        reset=_keep_as_is,
    )
    async with pool:
        yield Pool(pool, f"{role_prefix}_{service}")


def _server_settings(service: str) -> dict[str, str]:
    return {
        "application_name": f"kct {service}",
        "search_path": service,
        "idle_in_transaction_session_timeout": "60000",
        "lock_timeout": "10000",
    }


class UnsuitableServer(Exception):
    """The database server can't run this product."""


async def _require_suitable(conn: Connection) -> None:
    if conn.get_server_version().major < OLDEST_SERVER:
        raise UnsuitableServer(f"PostgreSQL {OLDEST_SERVER} or later is needed")


async def _keep_as_is(_: object) -> None:
    """Nothing to reset."""


def is_database_away(error: BaseException) -> bool:
    """Whether an error says that the database is unreachable or restarting, not that the work was wrong.

    Such an error is the infrastructure's: the work is tried again and no attempt is counted.
    """
    away = (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,  # class 08
        asyncpg.InvalidAuthorizationSpecificationError,  # class 28: not let in, as while a password is changed
        asyncpg.InterfaceError,  # closed under our hands
        asyncpg.OperatorInterventionError,  # class 57: shut down, crashed, still starting, cancelled
        asyncpg.InsufficientResourcesError,  # class 53: too many connections, disk full
        asyncpg.ReadOnlySQLTransactionError,  # a standby since a failover; a provider whose disk is nearly full
        asyncpg.InternalClientError,  # the connection broke in the middle of an answer
    )
    return isinstance(error, away)


def is_in_the_way(error: BaseException) -> bool:
    """Whether an error says that others were in a transaction's way: by a deadlock, a lock held for too long, or a
    migration that changed a table whose columns a prepared statement knew.

    Nothing is wrong with the work, and nothing of it was done: it may be done again.
    """
    theirs = (
        asyncpg.TransactionRollbackError,
        asyncpg.LockNotAvailableError,
        asyncpg.InvalidCachedStatementError,  # asyncpg forgets the statement with it, and prepares it anew next time
    )
    return isinstance(error, theirs)
