"""The books against Stripe's: each of its balance transactions is booked once, whenever it comes."""

from datetime import timedelta

from services.checkout import domain
from services.checkout.actions.orders import Till
from services.checkout.store import ledger as store
from shared.metrics import counter

BOOKED = counter("checkout_balance_transactions_total", "Stripe's balance transactions, by type.", ("type",))

# A transaction may show up in the list a little after the time it bears; what was booked is not booked again.
OVERLAP = timedelta(minutes=10)


async def book_new(till: Till) -> int:
    """Books what Stripe settled since the last look; answers how much was new."""
    async with till.pool.worker() as conn:
        booked_to = await store.claim_poll(conn, till.settings.balance_rest_s)
    if booked_to is None:
        return 0
    found = await till.stripe.list_balance(booked_to - OVERLAP)
    new = 0
    async with till.pool.worker() as conn:
        ours = await store.select_ours(conn, [told.payment_intent_id for told in found if told.payment_intent_id])
        for told in found:
            if await store.book(conn, domain.balance_booked(told, is_ours=told.payment_intent_id in ours)):
                new += 1
                BOOKED.labels(type=told.type).inc()
        if found:
            await store.update_poll(conn, max(told.created_at for told in found))
    return new
