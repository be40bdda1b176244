"""The notifier's rows: letters, attempts, paid orders, failed refunds."""

from services.notifier.store.facts import (
    insert_paid_order,
    select_is_paid,
    select_refund_failed,
    upsert_failed_refund,
    withdraw_failure_letters,
    withdraw_refund_letter,
)
from services.notifier.store.letters import (
    Due,
    Lost,
    end_attempt,
    insert_attempt,
    insert_letter,
    select_attempted_for_update,
    select_due_for_update,
    select_lost_for_update,
    select_waiting,
    update_move,
    update_state,
    update_to_sending,
)
from services.notifier.store.resending import Ended, Selection, select_ended_for_update, update_to_pending

__all__ = [
    "Due",
    "Ended",
    "Lost",
    "Selection",
    "end_attempt",
    "insert_attempt",
    "insert_letter",
    "insert_paid_order",
    "select_attempted_for_update",
    "select_due_for_update",
    "select_ended_for_update",
    "select_is_paid",
    "select_lost_for_update",
    "select_refund_failed",
    "select_waiting",
    "update_move",
    "update_state",
    "update_to_pending",
    "update_to_sending",
    "upsert_failed_refund",
    "withdraw_failure_letters",
    "withdraw_refund_letter",
]
