"""Customers."""

from deploy.standins.stripe import params
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.errors import missing_object
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

_OWN: dict[str, params.Reader] = {
    "address": params.ADDRESS,
    "description": params.text(),
    "email": params.text(512),
    "metadata": params.metadata,
    "name": params.text(256),
    "phone": params.PHONE,
    "preferred_locales": params.many(params.text(35)),
    "shipping": params.SHIPPING,
}
WRITE = Spec({**_OWN, "expand": params.EXPAND})
LIST = Spec({**params.PAGE, "email": params.text(512)})
NOTHING = Spec({"expand": params.EXPAND})


def create(call: Call) -> Json:
    values = params.read(call.form, WRITE)
    customer = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.account.clock.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("", 8).strip("_").upper(),
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **{name: value for name, value in values.items() if name in _OWN},
    }
    call.account.customers.add(customer)
    call.account.events.emit("customer.created", customer, call.origin)
    return customer


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    customer = call.account.customers.find(call.path["customer"])
    return _stub(customer) if customer.get("deleted") else customer


def update(call: Call) -> Json:
    values = params.read(call.form, WRITE)
    customer = living(call, call.path["customer"])
    if "metadata" in values:
        values["metadata"] = params.merge_metadata(customer["metadata"], values["metadata"])
    changed = {name: value for name, value in values.items() if name in _OWN and customer[name] != value}
    previous = {name: customer[name] for name in changed}
    customer.update(changed)
    if changed:
        call.account.events.emit("customer.updated", customer, call.origin, previous)
    return customer


def delete(call: Call) -> Json:
    params.read(call.form, NOTHING)
    customer = living(call, call.path["customer"])
    call.account.events.emit("customer.deleted", customer, call.origin)
    customer["deleted"] = True
    return _stub(customer)


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    email = values.get("email")

    def matches(customer: Json) -> bool:
        return not customer.get("deleted") and email in {None, customer["email"]}

    return call.account.customers.page("/v1/customers", values, matches)


def living(call: Call, customer_id: str) -> Json:
    customer = call.account.customers.find(customer_id, "customer")
    if customer.get("deleted"):
        raise missing_object("customer", customer_id, "customer")
    return customer


def _stub(customer: Json) -> Json:
    return {"id": customer["id"], "object": "customer", "deleted": True}
