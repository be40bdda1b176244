"""Webhook endpoints by API: the signing secret is told once, when one is made."""

from urllib.parse import urlsplit

from deploy.standins.stripe import errors, params
from deploy.standins.stripe.call import Call
from deploy.standins.stripe.config import Endpoint
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.params import Spec
from deploy.standins.stripe.tables import Json

MOST = 16

_OWN: dict[str, params.Reader] = {
    "description": params.text(),
    "enabled_events": params.many(params.text(), most=500),
    "metadata": params.metadata,
    "url": params.text(),
    "expand": params.EXPAND,
}
CREATE = Spec({**_OWN, "api_version": params.text()}, required=("enabled_events", "url"))
UPDATE = Spec({**_OWN, "disabled": params.flag})
NOTHING = Spec({"expand": params.EXPAND})
LIST = Spec(params.PAGE)


def create(call: Call) -> Json:
    values = params.read(call.form, CREATE)
    hooks = call.account.hooks
    _check(values)
    if sum(not row.get("deleted") for row in hooks.table) >= MOST:
        raise errors.conflicting(f"There may be {MOST} webhook endpoints at most.", None)
    secret = new_id("whsec", 32)
    row = hooks.add(
        Endpoint(values["url"], (secret,), tuple(values["enabled_events"])),
        api_version=values.get("api_version"),
        description=values.get("description"),
        metadata=params.merge_metadata({}, values.get("metadata", {})),
        created=call.account.clock.now(),
    )
    return {**row, "secret": secret}


def _check(values: Json) -> None:
    if "url" in values and urlsplit(values["url"] or "").scheme not in {"http", "https"}:
        raise errors.invalid("Invalid URL: an http or https one is needed.", param="url", code="url_invalid")
    if "enabled_events" in values and not all(values["enabled_events"] or [None]):
        raise errors.invalid("Name at least one event, or `*`.", param="enabled_events")


def update(call: Call) -> Json:
    values = params.read(call.form, UPDATE)
    _check(values)
    row = _living(call)
    if "metadata" in values:
        values["metadata"] = params.merge_metadata(row["metadata"], values["metadata"])
    if "disabled" in values:
        values["status"] = "disabled" if values.pop("disabled") else "enabled"
    values.pop("expand", None)
    row.update(values)
    call.account.hooks.follow(row)
    return row


def delete(call: Call) -> Json:
    params.read(call.form, NOTHING)
    row = _living(call)
    call.account.hooks.remove(row)
    return {"id": row["id"], "object": "webhook_endpoint", "deleted": True}


def retrieve(call: Call) -> Json:
    params.read(call.form, NOTHING)
    return _living(call)


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    return call.account.hooks.table.page("/v1/webhook_endpoints", values, lambda row: not row.get("deleted"))


def _living(call: Call) -> Json:
    row = call.account.hooks.table.find(call.path["endpoint"])
    if row.get("deleted"):
        raise errors.missing_object("webhook endpoint", row["id"], "webhook_endpoint")
    return row
