"""Control over what happens to money after a payment: refunds, disputes, reviews, warnings, payouts."""

from functools import partial

from aiohttp import web

from deploy.standins.stripe import disputes, errors, payouts, refunds, reviews, setup_confirmation
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.control_io import Body, one_of, only, ordered
from deploy.standins.stripe.tables import Json

REFUND_OUTCOMES = {"succeed": "succeeded", "fail": "failed", "require_action": "requires_action"}


class MoneyControl:
    def __init__(self, account: Account) -> None:
        self._account = account

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_post
        add("/_control/refunds/{refund}", ordered(self.settle_refund))
        add("/_control/disputes", ordered(self.open_dispute))
        add("/_control/disputes/{dispute}", ordered(self.decide_dispute))
        add("/_control/reviews", ordered(self.open_review))
        add("/_control/reviews/{review}", ordered(self.close_review))
        add("/_control/early_fraud_warnings", ordered(self.warn))
        add("/_control/payouts", ordered(self.make_payout))
        add("/_control/payouts/{payout}", ordered(self.settle_payout))
        add("/_control/setup_intents/{intent}/authenticate", ordered(self.authenticate_setup))

    async def settle_refund(self, request: web.Request, body: Body) -> Json:
        """`{"outcome": "succeed" | "fail" | "require_action", "reason": …}`"""
        only(body, "outcome", "reason")
        refund = self._account.refunds.find(request.match_info["refund"])
        outcome = one_of(body, "outcome", *REFUND_OUTCOMES)
        refunds.settle(self._account, refund, REFUND_OUTCOMES[outcome], body.get("reason"))
        return refund

    async def open_dispute(self, _request: web.Request, body: Body) -> Json:
        """`{"payment_intent" | "charge": …, "reason": "fraudulent", "inquiry": false}`"""
        only(body, "payment_intent", "charge", "reason", "inquiry")
        reason = str(body.get("reason", "fraudulent"))
        is_inquiry = bool(body.get("inquiry"))
        return disputes.open_dispute(self._account, self._charge(body), reason, is_inquiry=is_inquiry)

    async def decide_dispute(self, request: web.Request, body: Body) -> Json:
        """`{"outcome": "win" | "lose" | "escalate"}` or `{"status": …}` for what else a bank may do."""
        only(body, "outcome", "status")
        dispute = self._account.disputes.find(request.match_info["dispute"])
        if "status" in body:
            disputes.show_status(self._account, dispute, str(body["status"]))
            return dispute
        act = {"win": disputes.win, "lose": disputes.lose, "escalate": disputes.escalate}
        act[one_of(body, "outcome", *act)](self._account, dispute)
        return dispute

    async def open_review(self, _request: web.Request, body: Body) -> Json:
        """`{"payment_intent" | "charge": …, "reason": "rule" | "manual"}`"""
        only(body, "payment_intent", "charge", "reason")
        reason = one_of({"reason": "rule", **body}, "reason", "rule", "manual")
        return reviews.open_review(self._account, self._charge(body), reason)

    async def close_review(self, request: web.Request, body: Body) -> Json:
        """`{"reason": "approved" | "refunded" | …}`"""
        only(body, "reason")
        review = self._account.reviews.find(request.match_info["review"])
        return reviews.close(self._account, review, str(body.get("reason", "approved")))

    async def warn(self, _request: web.Request, body: Body) -> Json:
        """`{"payment_intent" | "charge": …, "fraud_type": …}`"""
        only(body, "payment_intent", "charge", "fraud_type")
        kind = str(body.get("fraud_type", "unauthorized_use_of_card"))
        return reviews.warn(self._account, self._charge(body), kind)

    async def make_payout(self, _request: web.Request, body: Body) -> Json:
        """`{"currency": "usd", "everything": false, "outcome": "pay" | "fail" | "wait"}`"""
        only(body, "currency", "everything", "outcome")
        outcome = one_of({"outcome": "pay", **body}, "outcome", "pay", "fail", "wait")
        currency = str(body.get("currency", "usd"))
        payout = payouts.make(self._account, currency, everything=bool(body.get("everything")))
        if outcome != "wait":
            end = partial(payouts.settle, self._account, payout, arrives=outcome == "pay")
            self._account.clock.later(self._account.config.payout_delay_s, end)
        return payout

    async def settle_payout(self, request: web.Request, body: Body) -> Json:
        """`{"outcome": "pay" | "fail"}`"""
        only(body, "outcome")
        payout = self._account.payouts.find(request.match_info["payout"])
        payouts.settle(self._account, payout, arrives=one_of(body, "outcome", "pay", "fail") == "pay")
        return payout

    async def authenticate_setup(self, request: web.Request, body: Body) -> Json:
        """`{"outcome": "succeed" | "fail"}`"""
        only(body, "outcome")
        intent = self._account.setup_intents.find(request.match_info["intent"])
        succeeds = one_of(body, "outcome", "succeed", "fail") == "succeed"
        setup_confirmation.authenticate(self._account, intent, succeeds=succeeds)
        return {name: intent[name] for name in ("id", "status", "payment_method", "metadata")}

    def _charge(self, body: Body) -> Json:
        if "charge" in body:
            return self._account.charges.find(body["charge"])
        intent = self._account.payment_intents.find(body["payment_intent"])
        charge = self._account.charges.get(intent["latest_charge"])
        if charge is None or charge["status"] != "succeeded":
            raise errors.conflicting("This payment took no money.", None)
        return charge
