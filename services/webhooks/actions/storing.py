"""Storing a batch of verified events, with what is to be said of them, and telling what became of each."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.webhooks import domain
from services.webhooks.actions import SERVICE
from services.webhooks.store import deliveries
from services.webhooks.store.deliveries import Delivery, Known
from shared import outbox
from shared.db import Connection
from shared.events import SecurityEvent, SecurityEventBodyChanged, SecurityLivemodeMismatch

OTHER_MODE = domain.OTHER_MODE


async def store(conn: Connection, batch: Sequence[Delivery], expected_version: str) -> list[str]:
    """Answers each one's outcome, in their order, once all of it is durable. All of the batch, or nothing, is stored.

    received, ignored   stored, and to be passed on or not
    other_mode          stored, never passed on, and an alarm with it
    duplicate           it was there before, and said the same
    replayed            the same, and even the signature's time is the first one's: not a retry of Stripe's
    body_changed        its id was there before and said something else: what came first stands; an alarm
    """
    firsts: dict[str, int] = {}
    for place, delivery in enumerate(batch):
        firsts.setdefault(delivery.event.id, place)
    new = await _insert(conn, [batch[place] for place in firsts.values()], expected_version)
    is_new = [delivery.event.id in new and firsts[delivery.event.id] == place for place, delivery in enumerate(batch)]
    repeats = [delivery for delivery, new_ in zip(batch, is_new, strict=True) if not new_]
    verdicts = iter(await _judge(conn, repeats) if repeats else [])
    return [_outcome_of_new(delivery) if new_ else next(verdicts) for delivery, new_ in zip(batch, is_new, strict=True)]


def _outcome_of_new(delivery: Delivery) -> str:
    return "other_mode" if delivery.error == OTHER_MODE else delivery.state


async def _insert(conn: Connection, batch: Sequence[Delivery], expected_version: str) -> set[str]:
    """One statement, and so one transaction; only what has to be announced with it asks for more."""
    notable = [delivery for delivery in batch if delivery.error == OTHER_MODE or delivery.version_mismatch]
    if not notable:
        return await deliveries.insert_deliveries(conn, batch)
    async with conn.transaction():
        new = await deliveries.insert_deliveries(conn, batch)
        for delivery in notable:
            if delivery.event.id in new:
                await _announce(conn, delivery, expected_version)
    return new


async def _announce(conn: Connection, delivery: Delivery, expected_version: str) -> None:
    if delivery.error == OTHER_MODE:
        detail = f"{delivery.event.id} says livemode={delivery.event.livemode}; it is not passed on"
        await _raise_alarm(conn, SecurityLivemodeMismatch, delivery, detail)
    if delivery.version_mismatch:
        await outbox.stage_once(conn, domain.version_news(delivery.event, expected_version, datetime.now(UTC)))


async def _judge(conn: Connection, repeats: Sequence[Delivery]) -> list[str]:
    async with conn.transaction():
        known = await deliveries.select_known(conn, {delivery.event.id for delivery in repeats})
        verdicts = [_verdict(delivery, known[delivery.event.id]) for delivery in repeats]
        for delivery, verdict in zip(repeats, verdicts, strict=True):
            if verdict == "body_changed":
                detail = f"{delivery.event.id} came again and says something else; what came first stands"
                await _raise_alarm(conn, SecurityEventBodyChanged, delivery, detail)
    return verdicts


def _verdict(delivery: Delivery, known: Known) -> str:
    if known.digest is not None and delivery.event.digest != known.digest:
        return "body_changed"
    is_replay = delivery.signed_at is not None and delivery.signed_at == known.signed_at
    return "replayed" if is_replay else "duplicate"


async def _raise_alarm(conn: Connection, alarm: type[SecurityEvent], delivery: Delivery, detail: str) -> None:
    await outbox.stage(
        conn,
        alarm(severity="critical", service=SERVICE, client_address=delivery.client_address, detail=detail),
    )
