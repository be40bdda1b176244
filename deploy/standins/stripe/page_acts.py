"""What a person can do to a payment on its page."""

from collections.abc import Callable

from deploy.standins.stripe import capture, confirmation, disputes, errors, payment_intents, refunds, reviews
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.ids import new_request_id
from deploy.standins.stripe.tables import Json


class Acts:
    """`act` says what, `id` to which refund, dispute or review, `amount` how much."""

    def __init__(self, account: Account, intent: Json, form: dict[str, str]) -> None:
        self._account = account
        self._intent = intent
        self._form = form

    def do(self) -> None:
        charge, thing = self._charge, self._thing
        account = self._account
        acts: dict[str, Callable[[], object]] = {
            "authenticate": lambda: confirmation.authenticate(account, self._intent, succeeds=True),
            "fail_authentication": lambda: confirmation.authenticate(account, self._intent, succeeds=False),
            "capture": lambda: capture.capture(self._call({})),
            "cancel": lambda: payment_intents.cancel(self._call({})),
            "refund": self._refund,
            "settle_refund": lambda: refunds.settle(account, thing(), "succeeded"),
            "fail_refund": lambda: refunds.settle(account, thing(), "failed"),
            "dispute": lambda: disputes.open_dispute(account, charge(), "fraudulent"),
            "inquire": lambda: disputes.open_dispute(account, charge(), "fraudulent", is_inquiry=True),
            "win": lambda: disputes.win(account, thing()),
            "lose": lambda: disputes.lose(account, thing()),
            "escalate": lambda: disputes.escalate(account, thing()),
            "review": lambda: reviews.open_review(account, charge(), "manual"),
            "approve": lambda: reviews.close(account, thing(), "approved"),
            "warn": lambda: reviews.warn(account, charge()),
        }
        act = acts.get(self._form.get("act", ""))
        if act is None:
            raise errors.invalid("There is no such act.")
        act()

    def _refund(self) -> None:
        amount = {"amount": self._form["amount"]} if self._form.get("amount") else {}
        refunds.create(self._call({"payment_intent": self._intent["id"], **amount}))

    def _charge(self) -> Json:
        charge = self._account.charges.get(self._intent["latest_charge"])
        if charge is None or charge["status"] != "succeeded":
            raise errors.invalid("This payment took no money.")
        return charge

    def _thing(self) -> Json:
        thing_id = self._form.get("id", "")
        for table in (self._account.refunds, self._account.disputes, self._account.reviews):
            thing = table.get(thing_id)
            if thing is not None and thing["payment_intent"] == self._intent["id"]:
                return thing
        raise errors.invalid("This payment has no such refund, dispute or review.")

    def _call(self, form: Json) -> Call:
        return Call(self._account, Origin(new_request_id(), None), form, {"intent": self._intent["id"]}, "")
