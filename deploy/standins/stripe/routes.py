"""Every endpoint of the API that the stand-in has."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from deploy.standins.stripe import (
    balance,
    capture,
    charges,
    confirmation_tokens,
    customers,
    events,
    evidence,
    payment_intents,
    payment_methods,
    payouts,
    refunds,
    reviews,
    search,
    setup_intents,
    webhook_endpoints,
)
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.tables import Json


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    answer: Callable[[Call], Json]
    is_public: bool = False  # a publishable key will do

    @cached_property
    def _nouns(self) -> list[str]:
        """What the path is about: neither ids nor verbs nor the corner of the API it is in."""
        steps = self.path.split("/")[2:]
        return [step for step in steps if step == "balance" or (step.endswith("s") and step != "test_helpers")]

    @cached_property
    def noun(self) -> str:
        """What the endpoint answers with."""
        return self._nouns[-1].removesuffix("s")

    @cached_property
    def is_list(self) -> bool:
        return self.method == "GET" and self.noun != "balance" and self.path.endswith((self._nouns[-1], "/search"))

    @cached_property
    def is_locking(self) -> bool:
        """It changes an object that is there: two such requests on one object wait for each other."""
        return self.method != "GET" and "{" in self.path


ROUTES = (
    Route("POST", "/v1/customers", customers.create),
    Route("GET", "/v1/customers", customers.list_all),
    Route("GET", "/v1/customers/search", search.customers),
    Route("GET", "/v1/customers/{customer}", customers.retrieve),
    Route("POST", "/v1/customers/{customer}", customers.update),
    Route("DELETE", "/v1/customers/{customer}", customers.delete),
    Route("GET", "/v1/customers/{customer}/payment_methods", payment_methods.list_of_customer),
    Route("POST", "/v1/payment_methods", payment_methods.create, is_public=True),
    Route("GET", "/v1/payment_methods", payment_methods.list_all),
    Route("GET", "/v1/payment_methods/{payment_method}", payment_methods.retrieve),
    Route("POST", "/v1/payment_methods/{payment_method}", payment_methods.update),
    Route("POST", "/v1/payment_methods/{payment_method}/attach", payment_methods.attach),
    Route("POST", "/v1/payment_methods/{payment_method}/detach", payment_methods.detach),
    Route("POST", "/v1/test_helpers/confirmation_tokens", confirmation_tokens.create),
    Route("POST", "/v1/confirmation_tokens", confirmation_tokens.create, is_public=True),
    Route("GET", "/v1/confirmation_tokens/{token}", confirmation_tokens.retrieve, is_public=True),
    Route("POST", "/v1/payment_intents", payment_intents.create),
    Route("GET", "/v1/payment_intents", payment_intents.list_all),
    Route("GET", "/v1/payment_intents/search", search.payment_intents),
    Route("GET", "/v1/payment_intents/{intent}", payment_intents.retrieve, is_public=True),
    Route("POST", "/v1/payment_intents/{intent}", payment_intents.update),
    Route("POST", "/v1/payment_intents/{intent}/confirm", payment_intents.confirm, is_public=True),
    Route("POST", "/v1/payment_intents/{intent}/cancel", payment_intents.cancel),
    Route("POST", "/v1/payment_intents/{intent}/capture", capture.capture),
    Route("POST", "/v1/setup_intents", setup_intents.create),
    Route("GET", "/v1/setup_intents", setup_intents.list_all),
    Route("GET", "/v1/setup_intents/{intent}", setup_intents.retrieve, is_public=True),
    Route("POST", "/v1/setup_intents/{intent}", setup_intents.update),
    Route("POST", "/v1/setup_intents/{intent}/confirm", setup_intents.confirm, is_public=True),
    Route("POST", "/v1/setup_intents/{intent}/cancel", setup_intents.cancel),
    Route("GET", "/v1/setup_attempts", setup_intents.list_attempts),
    Route("GET", "/v1/charges", charges.list_all),
    Route("GET", "/v1/charges/search", search.charges),
    Route("GET", "/v1/charges/{charge}", charges.retrieve),
    Route("POST", "/v1/charges/{charge}", charges.update),
    Route("POST", "/v1/refunds", refunds.create),
    Route("GET", "/v1/refunds", refunds.list_all),
    Route("GET", "/v1/refunds/{refund}", refunds.retrieve),
    Route("POST", "/v1/refunds/{refund}", refunds.update),
    Route("POST", "/v1/refunds/{refund}/cancel", refunds.cancel),
    Route("GET", "/v1/disputes", evidence.list_all),
    Route("GET", "/v1/disputes/{dispute}", evidence.retrieve),
    Route("POST", "/v1/disputes/{dispute}", evidence.update),
    Route("POST", "/v1/disputes/{dispute}/close", evidence.close),
    Route("GET", "/v1/reviews", reviews.list_open),
    Route("GET", "/v1/reviews/{review}", reviews.retrieve),
    Route("POST", "/v1/reviews/{review}/approve", reviews.approve),
    Route("GET", "/v1/radar/early_fraud_warnings", reviews.list_warnings),
    Route("GET", "/v1/radar/early_fraud_warnings/{warning}", reviews.retrieve_warning),
    Route("GET", "/v1/balance", balance.balance),
    Route("GET", "/v1/balance_transactions", balance.list_all),
    Route("GET", "/v1/balance_transactions/{balance_transaction}", balance.retrieve),
    Route("GET", "/v1/payouts", payouts.list_all),
    Route("GET", "/v1/payouts/{payout}", payouts.retrieve),
    Route("POST", "/v1/webhook_endpoints", webhook_endpoints.create),
    Route("GET", "/v1/webhook_endpoints", webhook_endpoints.list_all),
    Route("GET", "/v1/webhook_endpoints/{endpoint}", webhook_endpoints.retrieve),
    Route("POST", "/v1/webhook_endpoints/{endpoint}", webhook_endpoints.update),
    Route("DELETE", "/v1/webhook_endpoints/{endpoint}", webhook_endpoints.delete),
    Route("GET", "/v1/events", events.list_all),
    Route("GET", "/v1/events/{event}", events.retrieve),
)
