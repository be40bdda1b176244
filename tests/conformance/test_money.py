"""What happens to money afterwards: refunds, disputes, reviews, fraud warnings, the balance, payouts."""

from typing import Any

import pytest
import stripe

from deploy.standins.stripe.config import Config
from tests.conformance.stories import advance, disputed, paid, refused, told, told_types
from tests.integration.standins.conftest import StandIn, Start

DAY_S = 86_400


async def refund(stand_in: StandIn, intent: stripe.PaymentIntent, **more: Any) -> stripe.Refund:
    return await stand_in.client.v1.refunds.create_async({"payment_intent": intent.id, **more})  # type: ignore[arg-type]


async def charge_of(stand_in: StandIn, intent_id: Any) -> stripe.Charge:
    (charge,) = (await stand_in.client.v1.charges.list_async({"payment_intent": intent_id})).data
    return charge


async def test_a_payment_is_refunded_in_parts_up_to_its_amount(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    first = await refund(stand_in, intent, amount=2000)
    assert (first.status, (await charge_of(stand_in, intent.id)).refunded) == ("succeeded", False)
    rest = await refund(stand_in, intent)
    charge = await charge_of(stand_in, intent.id)
    assert (rest.amount, charge.amount_refunded, charge.refunded) == (3000, 5000, True)
    listed = await stand_in.client.v1.refunds.list_async({"payment_intent": intent.id})
    assert [one.id for one in listed.data] == [rest.id, first.id]


async def test_what_is_refunded_already_is_refused(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    await refund(stand_in, intent)
    assert (await refused(refund(stand_in, intent))).code == "charge_already_refunded"


@pytest.mark.assumes("A-28")
async def test_more_than_is_left_is_not_refunded(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    await refund(stand_in, intent, amount=4000)
    error = await refused(refund(stand_in, intent, amount=1001))
    assert isinstance(error, stripe.InvalidRequestError)
    assert error.param == "amount"


@pytest.mark.assumes("A-28")
async def test_a_payment_that_took_nothing_is_not_refunded(stand_in: StandIn) -> None:
    intent = await stand_in.client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    assert (await refused(refund(stand_in, intent))).http_status == 400


@pytest.mark.assumes("A-29")
async def test_a_refund_tells_of_itself_and_its_charge(stand_in: StandIn) -> None:
    await refund(stand_in, await paid(stand_in, capture_method="automatic"))  # else its balance may be told in between
    assert (await told_types(stand_in))[-2:] == ["refund.created", "charge.refunded"]


@pytest.mark.assumes("A-30")
async def test_7726_is_pending_at_first(stand_in: StandIn) -> None:
    made = await refund(stand_in, await paid(stand_in, "pm_card_pendingRefund"))
    assert (made.status, made.balance_transaction) == ("pending", None)
    await advance(stand_in, 2)
    made = await stand_in.client.v1.refunds.retrieve_async(made.id)
    assert made.status == "succeeded"
    assert made.balance_transaction is not None


@pytest.mark.assumes("A-30")
async def test_5126_succeeds_and_fails_later(stand_in: StandIn) -> None:
    intent = await paid(stand_in, "pm_card_refundFail")
    made = await refund(stand_in, intent)
    assert made.status == "succeeded"
    await advance(stand_in, 2)
    made = await stand_in.client.v1.refunds.retrieve_async(made.id)
    assert (made.status, made.failure_reason) == ("failed", "expired_or_canceled_card")
    assert made.failure_balance_transaction is not None
    assert (await charge_of(stand_in, intent.id)).amount_refunded == 0
    (changed,) = await told(stand_in, "charge.refund.updated")
    assert changed.data.previous_attributes is not None
    assert changed.data.previous_attributes["status"] == "succeeded"
    assert changed.request is not None
    assert changed.request.id is None
    assert {"refund.updated", "refund.failed"} <= set(await told_types(stand_in))


async def test_a_refund_is_cancelled_only_while_it_requires_action(start: Start) -> None:
    stand_in = await start(Config(refund_delay_s=3600))
    refunds = stand_in.client.v1.refunds
    done = await refund(stand_in, await paid(stand_in))
    assert (await refused(refunds.cancel_async(done.id))).http_status == 400
    waiting = await refund(stand_in, await paid(stand_in, "pm_card_pendingRefund"))
    await stand_in.control("POST", f"/refunds/{waiting.id}", {"outcome": "require_action"})
    assert (await refunds.cancel_async(waiting.id)).status == "canceled"


async def test_a_refund_keeps_metadata(stand_in: StandIn) -> None:
    made = await refund(stand_in, await paid(stand_in), metadata={"a": "1"}, reason="requested_by_customer")
    made = await stand_in.client.v1.refunds.update_async(made.id, {"metadata": {"b": "2"}})
    assert made.metadata is not None
    assert made.metadata.to_dict() == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("method", "reason", "status"),
    [
        ("pm_card_createDispute", "fraudulent", "needs_response"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received", "needs_response"),
        ("pm_card_createDisputeInquiry", "fraudulent", "warning_needs_response"),
    ],
)
async def test_a_card_brings_a_dispute(stand_in: StandIn, method: str, reason: str, status: str) -> None:
    dispute = await disputed(stand_in, method)
    assert (dispute.reason, dispute.status, dispute.amount) == (reason, status, 5000)
    assert dispute.is_charge_refundable is (status == "warning_needs_response")


async def test_a_card_brings_several_disputes(stand_in: StandIn) -> None:
    await disputed(stand_in, "pm_card_createMultipleDisputes")
    assert len((await stand_in.client.v1.disputes.list_async()).data) == 2


@pytest.mark.assumes("A-31")
async def test_a_dispute_takes_the_money_and_the_fee(stand_in: StandIn) -> None:
    dispute = await disputed(stand_in)
    (taken,) = dispute.balance_transactions
    assert (taken.amount, taken.fee, taken.net, taken.type) == (-5000, 1500, -6500, "adjustment")
    kinds = [kind for kind in await told_types(stand_in) if "dispute" in kind]
    assert kinds == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


async def answer(stand_in: StandIn, dispute: stripe.Dispute, word: str, *, submit: bool = True) -> stripe.Dispute:
    disputes = stand_in.client.v1.disputes
    await disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": word}, "submit": submit})
    await advance(stand_in, 2)
    return await disputes.retrieve_async(dispute.id)


@pytest.mark.assumes("A-31", "A-33")
async def test_winning_evidence_reinstates_the_funds(stand_in: StandIn) -> None:
    dispute = await answer(stand_in, await disputed(stand_in), "winning_evidence")
    assert (dispute.status, sum(one.net for one in dispute.balance_transactions)) == ("won", 0)
    kinds = [kind for kind in await told_types(stand_in) if "dispute" in kind]
    assert kinds[2:] == ["charge.dispute.updated", "charge.dispute.funds_reinstated", "charge.dispute.closed"]


@pytest.mark.assumes("A-33")
async def test_losing_evidence_loses(stand_in: StandIn) -> None:
    assert (await answer(stand_in, await disputed(stand_in), "losing_evidence")).status == "lost"


@pytest.mark.assumes("A-33")
async def test_other_evidence_is_under_review_until_the_bank_decides(stand_in: StandIn) -> None:
    dispute = await answer(stand_in, await disputed(stand_in), "We sent it.")
    assert dispute.status == "under_review"
    assert dispute.evidence_details.submission_count == 1
    await stand_in.control("POST", f"/disputes/{dispute.id}", {"outcome": "win"})
    assert (await stand_in.client.v1.disputes.retrieve_async(dispute.id)).status == "won"


async def test_evidence_may_be_staged(stand_in: StandIn) -> None:
    dispute = await answer(stand_in, await disputed(stand_in), "winning_evidence", submit=False)
    assert (dispute.status, dispute.evidence_details.has_evidence) == ("needs_response", True)


async def test_evidence_is_submitted_once(stand_in: StandIn) -> None:
    dispute = await answer(stand_in, await disputed(stand_in), "First")
    calling = stand_in.client.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": "Second"}})
    assert (await refused(calling)).http_status == 400


async def test_evidence_is_not_longer_than_150_000_characters(stand_in: StandIn) -> None:
    dispute = await disputed(stand_in)
    evidence = {"uncategorized_text": "x" * 100_000, "product_description": "y" * 50_001}
    calling = stand_in.client.v1.disputes.update_async(dispute.id, {"evidence": evidence})  # type: ignore[arg-type]
    assert (await refused(calling)).http_status == 400


async def test_accepting_a_dispute_loses_it_for_good(stand_in: StandIn) -> None:
    disputes = stand_in.client.v1.disputes
    dispute = await disputed(stand_in)
    assert (await disputes.close_async(dispute.id)).status == "lost"
    assert (await refused(disputes.close_async(dispute.id))).http_status == 400


@pytest.mark.assumes("A-33")
async def test_an_inquiry_is_escalated(stand_in: StandIn) -> None:
    inquiry = await disputed(stand_in, "pm_card_createDisputeInquiry")
    assert inquiry.balance_transactions == []
    escalated = await answer(stand_in, inquiry, "escalate_inquiry_evidence")
    assert (escalated.status, len(escalated.balance_transactions)) == ("needs_response", 1)


@pytest.mark.assumes("A-32")
async def test_an_unanswered_dispute_is_lost(stand_in: StandIn) -> None:
    dispute = await disputed(stand_in)
    await advance(stand_in, 10 * DAY_S)
    dispute = await stand_in.client.v1.disputes.retrieve_async(dispute.id)
    assert (dispute.status, dispute.evidence_details.past_due) == ("lost", True)


@pytest.mark.assumes("A-34")
async def test_a_disputed_charge_is_not_refunded(stand_in: StandIn) -> None:
    dispute = await disputed(stand_in)
    calling = stand_in.client.v1.refunds.create_async({"charge": str(dispute.charge)})
    assert (await refused(calling)).code == "charge_disputed"


@pytest.mark.assumes("A-37")
async def test_5423_brings_an_early_fraud_warning(stand_in: StandIn) -> None:
    intent = await paid(stand_in, "pm_card_createIssuerFraudRecord")
    await advance(stand_in, 2)
    warnings = stand_in.client.v1.radar.early_fraud_warnings
    (warning,) = (await warnings.list_async({"payment_intent": intent.id})).data
    assert warning.actionable is True
    await refund(stand_in, intent)
    assert (await warnings.retrieve_async(warning.id)).actionable is False


async def review(stand_in: StandIn, intent: stripe.PaymentIntent) -> stripe.Review:
    await stand_in.control("POST", "/reviews", {"payment_intent": intent.id})
    (opened,) = (await stand_in.client.v1.reviews.list_async()).data
    return opened


@pytest.mark.assumes("A-36")
async def test_a_review_is_opened_and_approved(stand_in: StandIn) -> None:
    opened = await review(stand_in, await paid(stand_in, "pm_card_riskLevelElevated"))
    closed = await stand_in.client.v1.reviews.approve_async(opened.id)
    assert (opened.open, closed.open, closed.closed_reason) == (True, False, "approved")
    kinds = [kind for kind in await told_types(stand_in) if kind.startswith("review.")]
    assert kinds == ["review.opened", "review.closed"]
    assert (await stand_in.client.v1.reviews.list_async()).data == []


@pytest.mark.assumes("A-36")
async def test_a_refund_closes_a_review(stand_in: StandIn) -> None:
    intent = await paid(stand_in)
    opened = await review(stand_in, intent)
    await refund(stand_in, intent, reason="fraudulent")
    assert (await stand_in.client.v1.reviews.retrieve_async(opened.id)).closed_reason == "refunded_as_fraud"


@pytest.mark.assumes("A-16")
async def test_funds_are_pending_and_become_available(stand_in: StandIn) -> None:
    await paid(stand_in, capture_method="automatic")
    balance = await stand_in.client.v1.balance.retrieve_async()
    assert (balance.pending[0].amount, balance.available[0].amount) == (4825, 0)
    await advance(stand_in, 3 * DAY_S)
    balance = await stand_in.client.v1.balance.retrieve_async()
    assert (balance.pending[0].amount, balance.available[0].amount) == (0, 4825)


async def test_balance_transactions_are_filtered(stand_in: StandIn) -> None:
    await refund(stand_in, await paid(stand_in, capture_method="automatic"), amount=100)
    entries = stand_in.client.v1.balance_transactions
    for kind, amount in (("charge", 5000), ("refund", -100)):
        (entry,) = (await entries.list_async({"type": kind, "expand": ["data.source"]})).data
        assert (entry.amount, entry.source.object) == (amount, kind)  # type: ignore[union-attr]


@pytest.mark.assumes("A-42")
@pytest.mark.parametrize(("outcome", "status"), [("pay", "paid"), ("fail", "failed")])
async def test_a_payout_arrives_or_comes_back(stand_in: StandIn, outcome: str, status: str) -> None:
    await paid(stand_in, "pm_card_bypassPending")
    made = await stand_in.control("POST", "/payouts", {"everything": True, "outcome": outcome})
    await advance(stand_in, 2)
    payout = await stand_in.client.v1.payouts.retrieve_async(made["id"])
    assert (payout.status, payout.amount) == (status, 4825)
    assert [one.id for one in (await stand_in.client.v1.payouts.list_async({"status": status})).data] == [payout.id]
    entries = await stand_in.client.v1.balance_transactions.list_async({"payout": payout.id, "type": "charge"})
    assert len(entries.data) == 1
    assert (await told_types(stand_in))[-1] == f"payout.{status}"
