"""The books compared: what Stripe took, what the orders say, what is on the shelf, what customers were sent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.stage import Stage
from deploy.demo.watching import Watcher
from tests.chaos.settling import messages
from tests.chaos.shoppers import Memory

ZEROS = ("lost", "double_charged", "oversold", "mail_lost", "mail_double", "ledger_imbalance", "conflicts")


@dataclass
class Findings:
    """Each zero, with a line of evidence for whatever keeps it from being one."""

    counts: Counter[str] = field(default_factory=Counter)
    evidence: list[str] = field(default_factory=list)
    mail_possible_double: int = 0

    def add(self, zero: str, what: str, number: int = 1) -> None:
        assert zero in ZEROS
        self.counts[zero] += number
        self.evidence.append(f"{zero}: {what}")


async def reconcile(stage: Stage, memories: Sequence[Memory]) -> Findings:
    findings = Findings()
    watcher = Watcher(stage.http, stage.addresses)
    intents: list[dict[str, Any]] = (await watcher.control("GET", "payment_intents"))["payment_intents"]
    rows = await stage.look("SELECT id::text, number, email, currency, total_minor, payment, hold FROM checkout.orders")
    orders = {row["id"]: dict(row) for row in rows}
    _compare_money(findings, intents, orders)
    _compare_memories(findings, memories, intents, orders)
    await _compare_ledger(findings, stage, intents)
    await _compare_payments(findings, stage, intents)
    await _compare_stock(findings, stage)
    await _compare_mails(findings, stage, watcher, orders)
    for queue, number in (await messages(stage, dead=True)).items():
        findings.add("conflicts", f"{number} dead letters in {queue}", number)
    return findings


def _compare_money(findings: Findings, intents: list[dict[str, Any]], orders: dict[str, Any]) -> None:
    paying: Counter[str] = Counter()
    for intent in intents:
        if sum(charge["status"] == "succeeded" for charge in intent["charges"]) > 1:
            findings.add("double_charged", f"{intent['id']} has several charges")
        if intent["status"] == "succeeded":
            order_id = intent["metadata"].get("order_id", "")
            paying[order_id] += 1
            _expect_paid(findings, intent, orders.get(order_id))
    for order in orders.values():
        if order["payment"] == "paid" and not paying[order["id"]]:
            findings.add("lost", f"order {order['number']} is paid, and nobody paid")
        if paying[order["id"]] > 1:
            findings.add("double_charged", f"order {order['number']} is paid {paying[order['id']]} times")
        if order["hold"] != "none":
            findings.add("conflicts", f"order {order['number']} is held: {order['hold']}")


def _expect_paid(findings: Findings, intent: dict[str, Any], order: dict[str, Any] | None) -> None:
    if order is None:
        findings.add("lost", f"{intent['id']} is paid and its order does not exist")
    elif order["payment"] != "paid" and order["hold"] == "none" and not is_given_back(intent):
        findings.add("lost", f"{intent['id']} is paid, order {order['number']} is {order['payment']}")


def is_given_back(intent: dict[str, Any]) -> bool:
    """Whether the customer has all of his money again, as Stripe says: money that came too late is not lost."""
    taken = sum(charge["amount_captured"] for charge in intent["charges"])
    returned = sum(charge["amount_refunded"] for charge in intent["charges"])
    return bool(0 < taken == returned)


async def _compare_ledger(findings: Findings, stage: Stage, intents: list[dict[str, Any]]) -> None:
    """What Stripe took against the books, and the books against themselves."""
    rows = await stage.look(
        """
        SELECT e.currency, e.account, sum(e.amount_minor)::bigint AS total FROM checkout.ledger_entries e
        GROUP BY e.currency, e.account
        """
    )
    books = {(row["currency"], row["account"]): row["total"] for row in rows}
    payments = await stage.look(
        """
        SELECT e.currency, sum(e.amount_minor)::bigint AS total FROM checkout.ledger_entries e
        JOIN checkout.ledger_transactions t ON t.id = e.transaction_id
        WHERE t.kind = 'payment' AND e.account = 'stripe_pending' GROUP BY e.currency
        """
    )
    heard = {row["currency"]: row["total"] for row in payments}
    taken: Counter[str] = Counter()
    for intent in intents:
        taken[intent["currency"]] += intent["amount_received"]
    for currency in taken.keys() | {currency for currency, _ in books}:
        booked = heard.get(currency, 0)
        if difference := abs(taken[currency] - booked):
            findings.add("ledger_imbalance", f"{currency}: Stripe took {taken[currency]}, booked {booked}", difference)
        if pending := abs(books.get((currency, "stripe_pending"), 0)):
            findings.add("ledger_imbalance", f"{currency}: {pending} is still pending at Stripe", pending)
        if total := abs(sum(amount for (of, _), amount in books.items() if of == currency)):
            findings.add("ledger_imbalance", f"{currency}: the books are {total} out of balance", total)


def _compare_memories(
    findings: Findings, memories: Sequence[Memory], intents: list[dict[str, Any]], orders: dict[str, Any]
) -> None:
    by_email = Counter(order["email"] for order in orders.values())
    by_order = Counter(intent["metadata"].get("order_id") for intent in intents)
    given_back = {intent["metadata"].get("order_id") for intent in intents if is_given_back(intent)}
    for memory in memories:
        if len(memory.order_ids) > 1 or by_email[memory.email] > 1:
            findings.add("double_charged", f"one key made {by_email[memory.email]} orders ({memory.email})")
        for order_id in memory.order_ids:
            if order_id not in orders:
                findings.add("lost", f"order {order_id} was answered and does not exist")
            elif by_order[order_id] != 1:
                findings.add("conflicts", f"order {order_id} has {by_order[order_id]} PaymentIntents")
            elif memory.paid_at and orders[order_id]["payment"] != "paid" and order_id not in given_back:
                findings.add("lost", f"{memory.email} paid, order {orders[order_id]['number']} is not")


async def _compare_payments(findings: Findings, stage: Stage, intents: list[dict[str, Any]]) -> None:
    """What we believe of each PaymentIntent against what it is; unpaid ones may have moved on unheard."""
    known = {
        row["payment_intent_id"]: row
        for row in await stage.look("SELECT payment_intent_id, status, amount_received_minor FROM checkout.payments")
    }
    for intent in intents:
        row = known.get(intent["id"])
        if intent["status"] != "succeeded":
            continue
        if row is None or (row["status"], row["amount_received_minor"]) != ("succeeded", intent["amount_received"]):
            findings.add("conflicts", f"{intent['id']} is paid; we hold {dict(row) if row else 'nothing'}")


async def _compare_stock(findings: Findings, stage: Stage) -> None:
    rows = await stage.look(
        """
        WITH journal AS (SELECT sku, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved,
                                -coalesce(sum(on_hand_change) FILTER (WHERE reason = 'sold'), 0) AS sold
                         FROM checkout.stock_journal GROUP BY sku),
             bought AS (SELECT l.sku, sum(l.quantity) AS pieces FROM checkout.order_lines l
                        JOIN checkout.orders o ON o.id = l.order_id WHERE o.payment = 'paid' GROUP BY l.sku)
        SELECT s.sku, s.on_hand, s.reserved, j.on_hand AS j_on_hand, j.reserved AS j_reserved, j.sold,
               coalesce(b.pieces, 0) AS bought
        FROM checkout.stock s JOIN journal j USING (sku) LEFT JOIN bought b USING (sku)
        """
    )
    for row in rows:
        if (row["on_hand"], row["reserved"]) != (row["j_on_hand"], row["j_reserved"]):
            findings.add("oversold", f"{row['sku']}: stock is not what its journal says")
        if row["sold"] != row["bought"]:
            findings.add("oversold", f"{row['sku']}: {row['sold']} sold, {row['bought']} in paid orders")
        if row["reserved"] != 0:
            findings.add("oversold", f"{row['sku']}: {row['reserved']} still reserved for nobody")


# What customers must have been told. A letter of the other kinds may stay unknown: it is not worth a copy.
DUE = """
    SELECT id::text AS order_id, 'order_confirmation' AS kind, 'paid' AS fact_id FROM checkout.orders
        WHERE payment = 'paid'
    UNION ALL SELECT f.order_id::text, 'payment_failed', f.failure_id FROM checkout.payment_failures f
        JOIN checkout.orders o ON o.id = f.order_id WHERE o.payment <> 'paid'
    UNION ALL SELECT order_id::text, 'order_refunded', id::text FROM checkout.refunds WHERE state = 'succeeded'
"""
MAY_BE_UNKNOWN = {"payment_failed", "order_refunded"}


async def _compare_mails(findings: Findings, stage: Stage, watcher: Watcher, orders: dict[str, Any]) -> None:
    mails = {mail["message_id"]: mail for mail in await watcher.mails("*")}
    letters = await stage.look(
        """
        SELECT l.order_id::text, l.kind, l.fact_id, l.state, l.message_id,
               count(*) FILTER (WHERE a.outcome = 'unknown' OR a.outcome IS NULL AND a.id IS NOT NULL) AS unknowns
        FROM notifier.letters l LEFT JOIN notifier.attempts a ON a.letter_id = l.id GROUP BY l.id
        """
    )
    for letter in letters:
        _compare_copies(findings, letter, mails.get(letter["message_id"]))
    told = {
        (letter["order_id"], letter["kind"], letter["fact_id"])
        for letter in letters
        if letter["message_id"] in mails or (letter["kind"] in MAY_BE_UNKNOWN and letter["state"] == "unknown")
    }
    for due in await stage.look(DUE):
        if tuple(due) not in told:
            findings.add(
                "mail_lost", f"order {orders[due['order_id']]['number']}: no {due['kind']} of {due['fact_id']}"
            )
    for order_id, number in Counter(
        each["order_id"] for each in letters if each["kind"] == "order_confirmation"
    ).items():
        if number > 1:
            findings.add("mail_double", f"order {orders[order_id]['number']} has {number} confirmations")


def _compare_copies(findings: Findings, letter: Any, mail: dict[str, Any] | None) -> None:
    """A copy beyond the first is possible only where a try had no known outcome (decision 18)."""
    about = f"{letter['kind']} of {letter['order_id']}"
    if mail is None:
        if letter["state"] == "accepted":
            findings.add("mail_lost", f"{about} counts as accepted and never arrived")
        return
    possible = min(mail["copies"] - 1, letter["unknowns"])
    findings.mail_possible_double += possible
    if doubles := mail["copies"] - 1 - possible:
        findings.add("mail_double", f"{about}: {mail['copies']} copies, {letter['unknowns']} unknown", doubles)
