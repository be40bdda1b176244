"""What the notifier does: write a letter, claim those that are due, send one, and record what came of it.

    claim            one transaction: still true? then an attempt row, state `sending`, a lease
    send             no transaction: the SMTP conversation
    record           one transaction: the attempt's outcome, the letter's move, the event

A crash between claim and record leaves a lease that runs out: the outcome is then `unknown`, never tried blindly.
"""

from services.notifier.actions.post import Claim, Post
from services.notifier.actions.recording import give_up_lost, measure, record
from services.notifier.actions.sending import claim_due, deliver
from services.notifier.actions.writing import (
    announce,
    announce_failure,
    announce_paid,
    announce_refund,
    withdraw_refund,
)

__all__ = [
    "Claim",
    "Post",
    "announce",
    "announce_failure",
    "announce_paid",
    "announce_refund",
    "claim_due",
    "deliver",
    "give_up_lost",
    "measure",
    "record",
    "withdraw_refund",
]
