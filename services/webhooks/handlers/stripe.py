"""`POST /webhooks/stripe`: the door."""

import time

from aiohttp import web

from services.webhooks import domain
from services.webhooks.actions import guarding, receiving
from services.webhooks.actions.group_commit import NotStored, Overloaded
from services.webhooks.actions.guarding import SenderUnknown
from services.webhooks.actions.keyring import NoUsableSecret
from services.webhooks.domain.threats import Kind
from services.webhooks.handlers.keys import COUNTED, GUARD, KEYRING, RECEIVED, STORE, WEBHOOKS
from services.webhooks.schemas import EventIn, Received
from shared import metrics
from shared.openapi import Content, describe
from shared.permissions import Permission, permit
from shared.web import reply, unlimited

SIGNATURE_FAILURES = metrics.counter(
    "webhooks_signature_failures_total",
    "Requests that were not shown to be Stripe's, by reason.",
    ("reason",),
)

EVENT = Content("application/json", of=EventIn)
REFUSALS = (
    domain.SignatureMissing,
    domain.SignatureDuplicated,
    domain.SignatureMalformed,
    domain.SignatureMismatch,
    domain.TimestampTooOld,
    domain.TimestampInFuture,
    domain.BodyEmpty,
    domain.BodyNotText,
    domain.EventMalformed,
)

# What of the headers may help to understand a delivery later; never the signature itself.
KEPT_HEADERS = ("User-Agent", "Content-Type", "Via")
LONGEST_HEADER = 300


@permit(Permission.STRIPE_SIGNATURE)
@unlimited
@describe({200: Received}, takes=EVENT, problems=(*REFUSALS, SenderUnknown, NoUsableSecret, NotStored, Overloaded))
async def receive(request: web.Request) -> web.Response:
    """Takes one event: 2xx once it is stored, whatever its type; a problem document otherwise."""
    settings, guard, keyring = request.app[WEBHOOKS], request.app[GUARD], request.app[KEYRING]
    address = request["client_address"]
    signatures = request.headers.getall("Stripe-Signature", ())
    body = await request.read()  # raises when it is longer than the app allows
    now = time.time()
    try:
        verified = domain.verify(body, signatures, keyring.usable(now), settings.tolerance_s, now)
    except NoUsableSecret as ours:
        SIGNATURE_FAILURES.labels(reason=ours.code).inc()
        raise  # no fault of the sender's, who may well be Stripe
    except domain.Refused as refusal:
        SIGNATURE_FAILURES.labels(reason=refusal.code).inc()
        if COUNTED not in request:
            guard.refuse_stranger(Kind.BAD_SIGNATURE, address)
        raise
    guard.admit_sender(address)
    keyring.note_use(verified.secret)
    kept = receiving.Request({**_kept(request), "signed-by": verified.secret}, address, verified.signed_at)
    outcome = await receiving.receive(request.app[STORE], body, kept, settings.expected())
    guarding.note_outcome(guard, outcome, address)
    request.app[RECEIVED].set()
    return reply(Received())


def _kept(request: web.Request) -> dict[str, str]:
    """Printable ASCII, cut to a length: a header holds whatever its sender likes, a column does not."""
    return {
        name.lower(): "".join(letter if " " <= letter <= "~" else "?" for letter in value[:LONGEST_HEADER])
        for name in KEPT_HEADERS
        if (value := request.headers.get(name)) is not None
    }
