"""What some test cards bring about after a payment: disputes, inquiries, early fraud warnings."""

from functools import partial

from deploy.standins.stripe import disputes, reviews
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.cards import Card
from deploy.standins.stripe.tables import Json


def follow(account: Account, charge: Json, card: Card) -> None:
    for what in card.aftermath:
        account.clock.later(account.config.dispute_delay_s, partial(_happen, account, charge, what))


def _happen(account: Account, charge: Json, what: str) -> None:
    if what == "fraud_warning":
        reviews.warn(account, charge)
    elif what == "inquiry":
        disputes.open_dispute(account, charge, "fraudulent", is_inquiry=True)
    else:
        disputes.open_dispute(account, charge, what)
