"""The books against Stripe's: each of its balance transactions is booked once, whenever it comes."""

from collections.abc import Sequence
from datetime import timedelta

from services.checkout import domain
from services.checkout.actions.orders import Till
from services.checkout.domain import BalanceTransaction
from services.checkout.store import ledger as store
from services.checkout.store import orders as order_store
from shared.db import Connection
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
        ours = await of_ours(conn, found)
        for told in found:
            if await store.book(conn, domain.balance_booked(told, is_ours=told.id in ours)):
                new += 1
                BOOKED.labels(type=told.type).inc()
        if found:
            await store.update_poll(conn, max(told.created_at for told in found))
    return new


async def of_ours(conn: Connection, found: Sequence[BalanceTransaction]) -> set[str]:
    """Those of the transactions, by their ids, that are about a payment of this shop; others may use the same account.

    While nobody knows how the request ended that made the payment, its id is not here yet. The order is: it was written
    before, and Stripe gives a charge the metadata of its PaymentIntent.
    """
    payments = await store.select_ours(conn, [told.payment_intent_id for told in found if told.payment_intent_id])
    orders = await order_store.select_known(conn, [told.order_id for told in found if told.order_id])
    return {told.id for told in found if told.payment_intent_id in payments or told.order_id in orders}
