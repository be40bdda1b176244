"""Events: snapshots of objects as they were, and what became of their delivery."""

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from deploy.standins.stripe import params
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.clock import DAY_S, Clock
from deploy.standins.stripe.config import API_VERSION
from deploy.standins.stripe.ids import new_id
from deploy.standins.stripe.search_index import SearchIndex
from deploy.standins.stripe.tables import Json, Table

LIST = params.Spec(
    {
        **params.PAGE,
        "type": params.text(),
        "types": params.many(params.text()),
        "delivery_success": params.flag,
    }
)

REACH_S = 30 * DAY_S  # the list goes back no further


@dataclass(slots=True)
class Delivery:
    """Per event: which endpoints have not taken it yet, and which never will."""

    object_id: str
    pending: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def is_success(self) -> bool:
        return not self.pending and not self.failed


class EventLog:
    def __init__(self, clock: Clock, search: SearchIndex) -> None:
        self._search = search
        self.table = Table("event", "id")
        self.deliveries: dict[str, Delivery] = {}
        self.listener: Callable[[Json], None] = lambda _event: None
        self._clock = clock

    def emit(self, kind: str, thing: Json, origin: Origin | None = None, previous: Json | None = None) -> Json:
        """Without an origin it is an automatic event: `request.id` is null."""
        self._search.note(thing)
        # Frozen here; copied, because orjson's own result holds on to several times its length.
        frozen = bytes(memoryview(orjson.dumps(thing)))
        snapshot: Json = {"object": orjson.Fragment(frozen)}
        if previous is not None:
            snapshot["previous_attributes"] = previous
        event: Json = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self._clock.now(),
            "data": snapshot,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": origin.request_id if origin else None,
                "idempotency_key": origin.idempotency_key if origin else None,
            },
            "type": kind,
        }
        self.table.add(event)
        self.deliveries[event["id"]] = Delivery(thing["id"])
        self.listener(event)
        return event

    def expect(self, event: Json, urls: set[str]) -> None:
        self.deliveries[event["id"]].pending |= urls
        self._count(event)

    def settle(self, event: Json, url: str, *, taken: bool) -> None:
        delivery = self.deliveries.get(event["id"])
        if delivery is None:  # the stand-in was reset meanwhile
            return
        if taken:
            delivery.failed.discard(url)
        elif url in delivery.pending:  # a copy that was taken counts, whatever becomes of the retries
            delivery.failed.add(url)
        delivery.pending.discard(url)
        self._count(event)

    def _count(self, event: Json) -> None:
        event["pending_webhooks"] = len(self.deliveries[event["id"]].pending)


def retrieve(call: Call) -> Json:
    params.read(call.form, params.Spec({"expand": params.EXPAND}))
    return call.account.events.table.find(call.path["event"])


def list_all(call: Call) -> Json:
    values = params.read(call.form, LIST)
    log = call.account.events
    kinds = set(values.get("types") or ([values["type"]] if values.get("type") else []))
    success: bool | None = values.get("delivery_success")
    oldest = call.account.clock.now() - REACH_S

    def matches(event: Json) -> bool:
        if event["created"] < oldest:
            return False
        if success is not None and log.deliveries[event["id"]].is_success is not success:
            return False
        return not kinds or any(_is_kind(event["type"], kind) for kind in kinds)

    return log.table.page("/v1/events", values, matches)


def _is_kind(kind: str, wanted: str) -> bool:
    return kind == wanted or (wanted.endswith(".*") and kind.startswith(wanted[:-1]))
