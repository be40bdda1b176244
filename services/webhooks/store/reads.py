"""The budget of reads from Stripe, shared by all processes and jobs: a bucket of tokens that fills up steadily."""

from dataclasses import dataclass

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Budget:
    """`per_day` is the whole bucket and what flows in a day; a caller leaves `reserve` of it to more urgent ones."""

    per_day: int
    reserve: float = 0.0


async def take(conn: Connection, budget: Budget) -> bool:
    """Takes one read, if more than the reserve would be left. It is spent when the caller's transaction commits."""
    await conn.execute(
        "INSERT INTO stripe_reads (tokens) VALUES ($1::float8) ON CONFLICT DO NOTHING", float(budget.per_day)
    )
    status = await conn.execute(
        f"""
        UPDATE stripe_reads SET tokens = {_NOW} - 1, at = clock_timestamp()
        WHERE {_NOW} - 1 >= $2::float8
        """,  # noqa: S608 (a constant)
        float(budget.per_day),
        budget.reserve,
    )
    return status == "UPDATE 1"


async def select_left(conn: Connection, per_day: int) -> float:
    left: float | None = await conn.fetchval(f"SELECT {_NOW} FROM stripe_reads", float(per_day))  # noqa: S608
    return float(per_day) if left is None else left


# What is in the bucket at this moment.
_NOW = "least($1::float8, tokens + $1::float8 * extract(epoch FROM clock_timestamp() - at)::float8 / 86400)"
