"""Stripe's events as requests write them: many in one statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import orjson

from services.webhooks.domain import StripeEvent
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that was shown to be Stripe's, as it is kept. `error` says why it is not passed on."""

    event: StripeEvent
    body: bytes
    headers: Mapping[str, str]
    client_address: str | None
    signed_at: int | None
    traceparent: str | None
    state: str
    error: str | None = None
    version_mismatch: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of an event under its id when it first came; no digest if it was fetched in another rendering."""

    digest: bytes | None
    signed_at: int | None


async def insert_deliveries(conn: Connection, deliveries: Sequence[Delivery]) -> set[str]:
    """Stores those whose id is new, and answers these ids. No two of the deliveries may have the same one.

    While another transaction is storing one of them, this waits for its outcome. All go in the order of their ids,
    or two batches with the same two events could wait for each other.
    """
    ordered = sorted(deliveries, key=lambda delivery: delivery.event.id)
    rows = await conn.fetch(
        """
        WITH given AS (
            SELECT * FROM unnest(
                $1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::bytea[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::boolean[],
                $15::text[]
            ) AS given (id, content_digest, signed_at, type, object_id, api_version, livemode, body,
                        headers, client_address, traceparent, state, error, version_mismatch, order_id)
        ), claimed AS (
            INSERT INTO stripe_event_ids (id, content_digest, signed_at)
            SELECT id, content_digest, signed_at FROM given
            ON CONFLICT (id) DO NOTHING RETURNING id
        ), stored AS (
            INSERT INTO stripe_events (stripe_event_id, type, object_id, api_version, livemode, body, headers,
                                       client_address, traceparent, state, error, version_mismatch, order_id)
            SELECT id, type, object_id, api_version, livemode, body, headers::jsonb,
                   client_address, traceparent, state, error, version_mismatch, order_id
            FROM given JOIN claimed USING (id)
        )
        SELECT id FROM claimed
        """,
        *map(list, zip(*map(_columns, ordered), strict=True)),
    )
    return {row["id"] for row in rows}


def _columns(delivery: Delivery) -> tuple[object, ...]:
    event = delivery.event
    return (
        event.id,
        event.digest,
        delivery.signed_at,
        event.type,
        event.object_id,
        event.api_version,
        event.livemode,
        delivery.body,
        orjson.dumps(dict(delivery.headers)).decode(),
        delivery.client_address,
        delivery.traceparent,
        delivery.state,
        delivery.error,
        delivery.version_mismatch,
        event.order_id,
    )


async def select_known(conn: Connection, ids: Collection[str]) -> dict[str, Known]:
    """What events that are there said when they first came, and when that was signed."""
    rows = await conn.fetch(
        "SELECT id, content_digest, signed_at FROM stripe_event_ids WHERE id = ANY($1::text[])", list(ids)
    )
    return {row["id"]: Known(row["content_digest"], row["signed_at"]) for row in rows}
