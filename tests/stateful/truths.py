"""What must be true after every step, what once everything has come to rest, and what of all runs together."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from services.checkout.domain import (
    ChargeDisputed,
    InProgress,
    NothingToRefund,
    NothingToRelease,
    OutOfStock,
    RefundTooLarge,
)
from services.checkout.stripe_api import OutcomeUnknown, StoredError, StripeBusy
from services.monitor.store.invariants import invariants
from shared.errors import AppError, Conflict, Invalid
from tests.stateful.world import JOBS, PIECES, World

_IN_BAD_WEATHER = {OutcomeUnknown, StoredError, StripeBusy}
# How each may be refused, and by exactly these. Were anything else only counted, a shop in which nothing can be ordered
# would pass.
_REFUSALS: Mapping[str, set[type[AppError]]] = {
    "order": {InProgress, OutOfStock, *_IN_BAD_WEATHER},
    # Conflict: several payments brought money, and none is named.
    "staff": {ChargeDisputed, Conflict, NothingToRefund, NothingToRelease, RefundTooLarge},
    **dict.fromkeys(JOBS, _IN_BAD_WEATHER),
}
# Of each at least one, or all that must be true was true of nothing.
_MUST_HAVE_BEEN = ("orders paid", "orders expired", "refunds succeeded")

# Those of the monitor that speak of money and stock; mails are the notifier's, which has no part in this.
_BROKEN = " UNION ALL ".join(
    f"SELECT '{each.name}: ' || what AS what FROM (\n{each.query}\n) AS q"
    for each in invariants()
    if each.name.startswith(("money_", "stock_"))
)

# What would be wrong before it shows in what the monitor looks at.
_BROKEN += """
    UNION ALL SELECT sku || ': more promised than there is' FROM checkout.stock WHERE reserved > on_hand
    UNION ALL SELECT payment_intent_id || ': ' || sum(r.amount_minor) || ' wanted back of ' || p.amount_received_minor
    FROM checkout.refunds r JOIN checkout.payments p USING (payment_intent_id)
    WHERE r.state NOT IN ('failed', 'canceled', 'refused') AND NOT EXISTS (
        SELECT FROM checkout.refunds d WHERE d.payment_intent_id = r.payment_intent_id AND d.actor LIKE '%dashboard')
    GROUP BY payment_intent_id, p.amount_received_minor HAVING sum(r.amount_minor) > p.amount_received_minor
"""

_ORDERS = """
    SELECT o.id::text, o.number, (SELECT coalesce(sum(amount_minor), 0)::bigint FROM checkout.refunds r
                                  WHERE r.order_id = o.id AND r.acknowledged_at IS NOT NULL) AS dealt_with,
           o.payment, o.hold, o.dispute, o.total_minor, o.refunded_minor,
           (SELECT count(*) FROM checkout.outbox b
            WHERE b.type = 'order.paid' AND position(o.id::text IN convert_from(b.body, 'UTF8')) > 0) AS told_paid,
           (SELECT count(*) FROM checkout.outbox b
            WHERE b.type = 'order.expired' AND position(o.id::text IN convert_from(b.body, 'UTF8')) > 0) AS told_expired
    FROM checkout.orders o ORDER BY o.placed_at
"""

LIVING = {"requires_payment_method", "requires_confirmation", "requires_action", "processing", "requires_capture"}

Rows = list[dict[str, Any]]


async def orders(world: World) -> Rows:
    return [dict(row) for row in await world.owner.fetch(_ORDERS)]


def is_expected(who: str, error: AppError) -> bool:
    """Whether that is an answer which `order`, `staff` or a job may get here."""
    if isinstance(error, Invalid):  # a line of which no piece is left to be sent back
        return who == "staff" and all(each.field.startswith("lines.") for each in error.errors)
    return type(error) in _REFUSALS[who]


def check_worth(counts: Counter[str], runs: int) -> None:
    """What so many runs came to, all together."""
    assert counts["runs"] == runs, f"{counts['runs']} of {runs} runs came to their end"
    missing = [what for what in _MUST_HAVE_BEEN if not counts[what]]
    assert not missing, f"no {' and no '.join(missing)}: the runs have shown nothing ({dict(counts)})"


async def check_database(world: World) -> None:
    broken = [row["what"] for row in await world.owner.fetch(_BROKEN)]
    assert not broken, broken


def check_orders(now: Rows, before: dict[str, str]) -> None:
    """Each ends once and tells of it once."""
    for order in now:
        was = before.get(order["id"])
        if was in ("paid", "expired"):
            assert order["payment"] == was, f"{order['number']} was {was} and is {order['payment']}"
        assert order["told_paid"] == (order["payment"] == "paid"), order
        assert order["told_expired"] == (order["payment"] == "expired"), order
        before[order["id"]] = order["payment"]


def check_against_stripe(now: Rows, intents: Rows, payable: set[str]) -> None:
    """A paid order has its money; an expired one can't be paid any more. `payable`: whose secret somebody has."""
    by_order = defaultdict(list)
    for intent in intents:
        by_order[intent["metadata"].get("order_id")].append(intent)
    for order in now:
        of_it = by_order[order["id"]]
        if order["payment"] == "paid":
            sums = [intent["amount_received"] for intent in of_it if intent["status"] == "succeeded"]
            assert order["total_minor"] in sums, f"{order['number']} is paid, and Stripe has {sums} for it"
        if order["payment"] == "expired":
            living = [each["id"] for each in of_it if each["status"] in LIVING and each["id"] in payable]
            assert not living, f"{order['number']} gave its stock back while {living} can be paid"


def check_refunds(refunds: Rows) -> None:
    """What we want once, Stripe makes once, whatever becomes of it."""
    made = Counter(each["metadata"]["refund_id"] for each in refunds if "refund_id" in each["metadata"])
    twice = [wish for wish, times in made.items() if times > 1]
    assert not twice, f"refunded twice: {twice}"


# At rest


# Of attempts only those that nothing has answered for: once its object's news has come another way, nobody asks again.
_UNFINISHED = """
    SELECT 'order ' || number || ' is ' || payment AS what FROM checkout.orders WHERE payment NOT IN ('paid', 'expired')
    UNION ALL SELECT 'resync of ' || payment_intent_id || ': ' || reason FROM checkout.resyncs WHERE done_at IS NULL
    UNION ALL SELECT 'refund ' || id || ' is ' || state FROM checkout.refunds WHERE state IN ('requested', 'pending')
    UNION ALL SELECT 'creation of ' || a.order_id || ' is ' || a.state FROM checkout.payment_attempts a
        WHERE a.operation = 'create_intent' AND a.state IN ('pending', 'unknown')
            AND NOT EXISTS (SELECT FROM checkout.payments p WHERE p.order_id = a.order_id)
"""


async def check_rest(world: World) -> None:
    unfinished = [row["what"] for row in await world.owner.fetch(_UNFINISHED)]
    assert not unfinished, unfinished
    intents = await world.intents()
    assert await _payments(world) == _payments_at_stripe(intents)
    assert await _refunds(world) == await _refunds_at_stripe(world)
    assert await _disputes(world) == await _disputes_at_stripe(world)
    await _check_balance(world)
    await _check_shelf(world)
    _check_ends(await orders(world), intents, await world.all_of("disputes"))


async def _payments(world: World) -> dict[str, int]:
    rows = await world.owner.fetch("SELECT * FROM checkout.payments WHERE status = 'succeeded'")
    return {row["payment_intent_id"]: row["amount_received_minor"] for row in rows}


def _payments_at_stripe(intents: Rows) -> dict[str, int]:
    return {each["id"]: each["amount_received"] for each in intents if each["status"] == "succeeded"}


async def _refunds(world: World) -> dict[str, tuple[str, int, str]]:
    rows = await world.owner.fetch("SELECT * FROM checkout.refunds WHERE state <> 'refused'")
    return {row["stripe_refund_id"]: (row["payment_intent_id"], row["amount_minor"], row["state"]) for row in rows}


async def _refunds_at_stripe(world: World) -> dict[str, tuple[str, int, str]]:
    made = await world.all_of("refunds")
    return {each["id"]: (each["payment_intent"], each["amount"], each["status"]) for each in made}


async def _disputes(world: World) -> dict[str, str]:
    rows = await world.owner.fetch("SELECT id, status FROM checkout.disputes")
    return {row["id"]: row["status"] for row in rows}


async def _disputes_at_stripe(world: World) -> dict[str, str]:
    return {each["id"]: each["status"] for each in await world.all_of("disputes")}


async def _check_balance(world: World) -> None:
    """The books say what Stripe's balance is, and nothing is on its way any more."""
    rows = await world.owner.fetch(
        "SELECT account, sum(amount_minor)::bigint AS total FROM checkout.ledger_entries GROUP BY account"
    )
    books = defaultdict(int, {row["account"]: row["total"] for row in rows})
    moved = await world.all_of("balance_transactions")
    booked = await world.owner.fetch("SELECT source FROM checkout.ledger_transactions WHERE kind = 'balance'")
    missing = [each for each in moved if each["id"] not in {row["source"] for row in booked}]
    assert not missing, missing
    assert books["stripe_balance"] == sum(each["net"] for each in moved)
    # What was settled before we heard of a payment made by hand counts as another shop's, and stays there.
    assert books["stripe_pending"] + books["other"] == 0, dict(books)
    assert sum(books.values()) == 0, dict(books)


async def _check_shelf(world: World) -> None:
    """What isn't on the shelf is in paid orders."""
    rows = await world.owner.fetch(
        """
        SELECT s.sku, s.on_hand, s.reserved,
               coalesce(sum(l.quantity) FILTER (WHERE o.payment = 'paid'), 0)::int AS sold,
               (SELECT coalesce(sum(on_hand_change), 0)::int FROM checkout.stock_journal j
                WHERE j.sku = s.sku AND j.reason = 'return') AS came_back
        FROM checkout.stock s LEFT JOIN checkout.order_lines l USING (sku)
            LEFT JOIN checkout.orders o ON o.id = l.order_id
        GROUP BY s.sku
        """
    )
    for row in rows:
        assert (row["on_hand"], row["reserved"]) == (PIECES - row["sold"] + row["came_back"], 0), dict(row)
        assert row["came_back"] <= row["sold"], dict(row)


def _check_ends(ends: Rows, intents: Rows, disputes: Rows) -> None:
    """Money that settles nothing was given back, is the bank's matter, or holds its order for a person."""
    disputed = {each["payment_intent"] for each in disputes}
    for order in ends:
        assert order["hold"] not in ("paid_twice", "paid_too_late") or disputed, order
        of_it = [each for each in intents if each["metadata"].get("order_id") == order["id"]]
        kept = 0
        for intent in of_it:
            if intent["id"] not in disputed:
                kept += sum(charge["amount_captured"] - charge["amount_refunded"] for charge in intent["charges"])
        owed = kept - (order["total_minor"] - order["refunded_minor"] if order["payment"] == "paid" else 0)
        by_transfer = order["dealt_with"]
        if owed > by_transfer and not {each["id"] for each in of_it} & disputed:
            assert order["hold"] != "none", f"{order['number']} keeps {owed} of its customer's money"
