"""Payment methods: cards by test number or by `pm_card_` name, each use of which makes a fresh one."""

from deploy.standins.stripe import cards, customers, params
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.card_shapes import billing_details, card_of, method_json, refused_card
from deploy.standins.stripe.cards import BY_IBAN, Card
from deploy.standins.stripe.errors import Refusal, conflicting, invalid, missing_object, missing_parameter
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

CARD = params.nested(
    {
        "number": params.text(25),
        "exp_month": params.integer(),
        "exp_year": params.integer(),
        "cvc": params.text(10),
    },
    required=("number", "exp_month", "exp_year"),
)
BILLING = params.nested(
    {"address": params.ADDRESS, "email": params.text(), "name": params.text(), "phone": params.PHONE}
)
FIELDS: dict[str, params.Reader] = {
    "type": params.choice("card", "sepa_debit"),
    "card": CARD,
    "sepa_debit": params.nested({"iban": params.text(34)}, required=("iban",)),
    "billing_details": BILLING,
    "metadata": params.metadata,
    "allow_redisplay": params.choice("always", "limited", "unspecified"),
}
DATA = params.nested(FIELDS, required=("type",))
CREATE = Spec({**FIELDS, "expand": params.EXPAND}, required=("type",))
ATTACH = Spec({"customer": params.text(), "expand": params.EXPAND}, required=("customer",))
NOTHING = Spec({"expand": params.EXPAND})
UPDATE = Spec(
    {
        **{name: FIELDS[name] for name in ("billing_details", "metadata", "allow_redisplay")},
        "card": params.nested({"exp_month": params.integer(1, 12), "exp_year": params.integer()}),
        "expand": params.EXPAND,
    }
)
LIST = Spec(
    {**params.PAGE, "customer": params.text(), "type": FIELDS["type"], "allow_redisplay": FIELDS["allow_redisplay"]}
)


def create(call: Call) -> Json:
    return from_data(call.account, params.read(call.form, CREATE))


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return call.account.payment_methods.find(call.path["payment_method"])


def attach(call: Call) -> Json:
    values = params.read(call.form, ATTACH)
    method = resolve(call.account, call.path["payment_method"])
    customers.living(call, values["customer"])
    card = call.account.cards[method["id"]]
    is_asked = card.authentication == "never" and not card.is_attachable
    if is_asked and card.decline is not None and not card.decline.is_blocked:
        raise refused_card(card.decline)
    if method["id"] in call.account.used_methods or method["customer"] not in {None, values["customer"]}:
        raise _not_again()
    attach_to(call.account, method, values["customer"], call.origin)
    return method


def detach(call: Call) -> Json:
    params.read(call.form, NOTHING)
    method = call.account.payment_methods.find(call.path["payment_method"])
    if method["customer"] is None:
        raise conflicting("This payment method belongs to no customer.", None)
    previous = {"customer": method["customer"]}
    method["customer"] = None
    call.account.used_methods.add(method["id"])
    call.account.events.emit("payment_method.detached", method, call.origin, previous)
    return method


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    method = call.account.payment_methods.find(call.path["payment_method"])
    values.pop("expand", None)
    if "metadata" in values:
        values["metadata"] = params.merge_metadata(method["metadata"], values["metadata"])
    if "billing_details" in values:
        values["billing_details"] = billing_details(values["billing_details"])
    if "card" in values:
        if method["type"] != "card":
            raise invalid("This payment method is no card.", param="card")
        values["card"] = {**method["card"], **(values["card"] or {})}
    previous = {name: method[name] for name, value in values.items() if method[name] != value}
    method.update(values)
    if previous:
        call.account.events.emit("payment_method.updated", method, call.origin, previous)
    return method


def list_all(call: Call) -> Json:
    return _page(call, "/v1/payment_methods", None)


def list_of_customer(call: Call) -> Json:
    customer = call.path["customer"]
    customers.living(call, customer)
    return _page(call, f"/v1/customers/{customer}/payment_methods", customer)


def _page(call: Call, url: str, customer: str | None) -> Json:
    values = params.read(call.form, LIST)
    owner = customer or values.get("customer")
    wanted = {"customer": owner, "type": values.get("type"), "allow_redisplay": values.get("allow_redisplay")}
    belongs = (lambda method: method["customer"] is not None) if owner is None else None
    return call.account.payment_methods.page(url, values, belongs, wanted)


def check_usable(account: Account, method: Json, customer: str | None) -> None:
    #
    if method["customer"] is None:
        if method["id"] in account.used_methods:
            raise _not_again()
    elif method["customer"] != customer:
        message = f"The payment method {method['id']} belongs to a customer: name that customer to use it."
        raise invalid(message, param="customer")


def _not_again() -> Refusal:
    message = (
        "This payment method was used or detached before without belonging to a customer, or belongs to another one: "
        "it cannot be used again."
    )
    return invalid(message, param="payment_method")


def attach_to(account: Account, method: Json, customer: str, origin: Origin | None) -> None:
    if method["customer"] != customer:
        method["customer"] = customer
        account.events.emit("payment_method.attached", method, origin)


def resolve(account: Account, method_id: str) -> Json:
    card = cards.named(method_id)
    if card is not None:
        return add(account, *of_card(account, card))
    if method_id.startswith("pm_card_"):
        raise missing_object("PaymentMethod", method_id, "payment_method")
    return account.payment_methods.find(method_id)


def of_card(account: Account, card: Card) -> tuple[Json, Card]:
    """A fresh method for a card that is named: not in the account yet."""
    year = 1970 + account.clock.now() // 31_556_952
    return build(account, card, {"exp_month": 12, "exp_year": year + 2}, {}), card


def from_data(account: Account, values: Json) -> Json:
    return add(account, *of_data(account, values))


def of_data(account: Account, values: Json) -> tuple[Json, Card]:
    if values["type"] == "sepa_debit":
        return _debit_of_data(account, values)
    if values.get("card") is None:
        raise missing_parameter("card")
    details = values["card"]
    card = card_of(account, details)
    return build(account, card, details, values), card


def _debit_of_data(account: Account, values: Json) -> tuple[Json, Card]:
    if values.get("sepa_debit") is None:
        raise missing_parameter("sepa_debit")
    debit = BY_IBAN.get(values["sepa_debit"]["iban"].replace(" ", ""))
    if debit is None:
        raise invalid(
            "The IBAN is not one of a test account.", param="sepa_debit[iban]", code="invalid_bank_account_iban"
        )
    return build(account, debit, {}, values), debit


def add(account: Account, method: Json, card: Card) -> Json:
    account.cards[method["id"]] = card
    return account.payment_methods.add(method)


def build(account: Account, card: Card, details: Json, values: Json) -> Json:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": values.get("allow_redisplay", "unspecified"),
        "billing_details": billing_details(values.get("billing_details")),
        card.kind: method_json(card, details),
        "created": account.clock.now(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": values.get("metadata", {}),
        "type": card.kind,
    }
