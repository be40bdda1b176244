"""The rules: facts in, alerts out. Whether something is wrong is derived every time and never stored.

A rule that lacks its data says so (`unknown`): that neither opens nor resolves an incident. To add a rule, write its
function in one of these files and add it to RULES; CONTRIBUTING.md lists the rest.
"""

from services.monitor.domain.rules import answers, database, disputes, invariants, mail, orders, security
from services.monitor.domain.rules.processes import broker_away, dead_letters, service_silent, service_unready
from services.monitor.domain.rules.reconciliation import reconciliation_finding, reconciliation_overdue
from services.monitor.domain.rules.shop import payment_success_low, stock_short
from services.monitor.domain.rules.stripe import stripe_circuit, stripe_denies
from services.monitor.domain.rules.verdict import EVERYTHING, NO_DATA, Alert, Rule, Severity, Verdict, clock
from services.monitor.domain.rules.webhooks import sender_list, signing_secrets, webhook_endpoint, webhooks_silent

__all__ = [
    "EVERYTHING",
    "NO_DATA",
    "RULES",
    "RULE_BY_NAME",
    "Alert",
    "Rule",
    "Severity",
    "Verdict",
    "broker_away",
    "clock",
    "dead_letters",
    "payment_success_low",
    "reconciliation_finding",
    "reconciliation_overdue",
    "sender_list",
    "service_silent",
    "service_unready",
    "signing_secrets",
    "stock_short",
    "stripe_circuit",
    "stripe_denies",
    "webhook_endpoint",
    "webhooks_silent",
]

RULES = (
    Rule(
        "service_silent",
        "Service silent",
        service_silent,
        "Check that its process runs and what its log says last, then its /readyz. "
        "Queues keep what arrives for it meanwhile.",
    ),
    Rule(
        "service_unready",
        "Service not ready",
        service_unready,
        "Look at its /readyz: it names what is missing. RabbitMQ is away too, so begin there.",
    ),
    Rule(
        "broker_away",
        "RabbitMQ away",
        broker_away,
        "Check that RabbitMQ runs and has disk and memory left. Orders are still taken; "
        "their events wait in the outboxes and are published when it is back.",
    ),
    Rule(
        "payment_success_low",
        "Payment success low",
        payment_success_low,
        "Look at the failure categories on the page and at Stripe's status page; "
        "if one category stands out, begin with it.",
    ),
    Rule(
        "dead_letters",
        "Dead letters",
        dead_letters,
        "Read the reason in the log line `buried`, mend the cause, then redrive the queue.",
    ),
    Rule(
        "stock_short",
        "Stock short",
        stock_short,
        "Order more, or take the variant off sale. `python -m deploy.ops adjust-stock` enters what arrives. "
        "It is news for a day.",
    ),
    Rule(
        "stripe_circuit",
        "Stripe does not answer",
        stripe_circuit,
        "Look at Stripe's status page, then at our own way out (DNS, proxy, firewall). Shoppers hear 503 and keep "
        "their baskets; Stripe is tried again by itself, and this ends when it answers.",
    ),
    Rule(
        "stripe_denies",
        "Stripe refuses our key",
        stripe_denies,
        "See under API keys in Stripe's Dashboard whether the key was rolled, has expired or lacks a right, set "
        "CHECKOUT_STRIPE_SECRET_KEY or WEBHOOKS_STRIPE_SECRET_KEY, and restart the service. If none of you rolled it, "
        "somebody else may have it.",
    ),
    Rule(
        "webhooks_silent",
        "Stripe's events stay away",
        webhooks_silent,
        "Look at the endpoint's deliveries in Stripe's Dashboard and at Stripe's status page, then at the proxy in "
        "front of webhooks. What could not be delivered is fetched meanwhile; orders are paid late, not lost.",
    ),
    Rule(
        "webhook_endpoint",
        "Webhook endpoint",
        webhook_endpoint,
        "Open the endpoint in Stripe's Dashboard: enable it, or set address, event types and API version as step 4 "
        "of the README says. What could not be delivered is fetched meanwhile, except types that it never sends.",
    ),
    Rule(
        "signing_secrets",
        "Signing secrets",
        signing_secrets,
        "Run `python -m deploy.ops rotate-webhook-secret --file FILE --status`: it says which secret is in use and "
        "what the file lacks. Roll the secret at Stripe, or give the one in use more time.",
    ),
    Rule(
        "sender_list",
        "List of Stripe's addresses",
        sender_list,
        "Read why in webhooks' log line `list of senders not refreshed`: the address in WEBHOOKS_SENDERS_URL, the way "
        "out to it, or what it answers. The last good list counts meanwhile.",
    ),
    Rule(
        "reconciliation_finding",
        "Differs from Stripe",
        reconciliation_finding,
        "Run `python -m deploy.ops reconcile`: it lists each finding. docs/reconciliation.md says what to do about its "
        "kind; it settles itself once the two agree, or with `settle-finding`.",
    ),
    Rule(
        "reconciliation_overdue",
        "Not compared with Stripe",
        reconciliation_overdue,
        "Run `python -m deploy.ops reconcile`: it says how far the run under way has come; why it rests stands in "
        "checkout's log line `reconciliation rests`.",
    ),
    *database.RULES,
    *invariants.RULES,
    *answers.RULES,
    *mail.RULES,
    *orders.RULES,
    *disputes.RULES,
    *security.RULES,
)
RULE_BY_NAME = {rule.name: rule for rule in RULES}
