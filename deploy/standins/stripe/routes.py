"""Every endpoint of the API that the stand-in has."""

from collections.abc import Callable
from dataclasses import dataclass

from deploy.standins.stripe import (
    balance,
    charges,
    confirmation,
    customers,
    events,
    payment_intents,
    payment_methods,
)
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.tables import Json


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    answer: Callable[[Call], Json]
    is_public: bool = False  # a publishable key will do

    @property
    def noun(self) -> str:
        """What the endpoint answers with."""
        return self.path.split("/")[2].removesuffix("s")

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and self.path.count("/") == 2


ROUTES = (
    Route("POST", "/v1/customers", customers.create),
    Route("GET", "/v1/customers", customers.list_all),
    Route("GET", "/v1/customers/{customer}", customers.retrieve),
    Route("POST", "/v1/customers/{customer}", customers.update),
    Route("DELETE", "/v1/customers/{customer}", customers.delete),
    Route("POST", "/v1/payment_methods", payment_methods.create, is_public=True),
    Route("GET", "/v1/payment_methods/{payment_method}", payment_methods.retrieve),
    Route("POST", "/v1/payment_methods/{payment_method}/attach", payment_methods.attach),
    Route("POST", "/v1/payment_intents", payment_intents.create),
    Route("GET", "/v1/payment_intents", payment_intents.list_all),
    Route("GET", "/v1/payment_intents/{intent}", payment_intents.retrieve, is_public=True),
    Route("POST", "/v1/payment_intents/{intent}", payment_intents.update),
    Route("POST", "/v1/payment_intents/{intent}/confirm", payment_intents.confirm, is_public=True),
    Route("POST", "/v1/payment_intents/{intent}/cancel", payment_intents.cancel),
    Route("POST", "/v1/payment_intents/{intent}/capture", confirmation.capture),
    Route("GET", "/v1/charges", charges.list_all),
    Route("GET", "/v1/charges/{charge}", charges.retrieve),
    Route("GET", "/v1/balance_transactions", balance.list_all),
    Route("GET", "/v1/balance_transactions/{balance_transaction}", balance.retrieve),
    Route("GET", "/v1/events", events.list_all),
    Route("GET", "/v1/events/{event}", events.retrieve),
)
