"""Stripe's events as requests write them."""

from collections.abc import Mapping
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
    traceparent: str | None
    state: str
    error: str | None = None


async def insert_delivery(conn: Connection, delivery: Delivery) -> bool:
    """False if the event's id is there. While another request is storing it, this waits for its outcome."""
    event = delivery.event
    status = await conn.execute(
        """
        WITH claimed AS (
            INSERT INTO stripe_event_ids (id, content_digest) VALUES ($1, $2)
            ON CONFLICT (id) DO NOTHING RETURNING id
        )
        INSERT INTO stripe_events (stripe_event_id, type, object_id, api_version, livemode, body, headers,
                                   client_address, traceparent, state, error)
        SELECT id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM claimed
        """,
        event.id,
        event.digest,
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
    )
    return status == "INSERT 0 1"


async def select_digest(conn: Connection, stripe_event_id: str) -> bytes | None:
    """What an event that is there said when it first came, as a digest."""
    digest: bytes | None = await conn.fetchval(
        "SELECT content_digest FROM stripe_event_ids WHERE id = $1", stripe_event_id
    )
    return digest
