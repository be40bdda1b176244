"""Security events as rules need them, and what to do about each kind of them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Alarm:
    """Events of one type within the window: how many, whether one is critical, and what the latest of those says."""

    type: str
    count: int
    is_critical: bool
    detail: str


@dataclass(frozen=True)
class Advice:
    """How people know the kind, and what they should do next."""

    title: str
    next_step: str


ADVICE: Mapping[str, Advice] = {
    "security.bad_signatures": Advice(
        "Bad signatures",
        "See in Stripe's dashboard whether its deliveries fail: then our signing secret is wrong. If they don't, "
        "somebody knocks; `python -m deploy.ops bans` lists who is kept out already.",
    ),
    "security.scanning": Advice(
        "Scanning",
        "Nothing was let in. If it goes on, let the proxy in front refuse the addresses that "
        "`python -m deploy.ops bans` lists.",
    ),
    "security.replays": Advice(
        "Replayed requests",
        "No repeat had an effect, but somebody has whole requests of Stripe's: find out whether our own proxy repeats "
        "them, else where they are logged, and roll the signing secret.",
    ),
    "security.unknown_sender": Advice(
        "Unknown sender",
        "Compare the address with Stripe's published list. If it is on it, our list is stale: see why "
        "webhooks_sender_refreshes_total fails, and set WEBHOOKS_SENDER_MODE=report meanwhile. If it is our own "
        "proxy's, set WEBHOOKS_TRUSTED_HOPS. Otherwise somebody else holds the signing secret: roll it now.",
    ),
    "security.card_testing": Advice(
        "Card testing",
        "Look at checkout_card_testing_refused_total: it says whether the guard keeps up. If the whole shop is meant, "
        "from many addresses, put a challenge in front of the shop's till, raise Radar's rules in Stripe's Dashboard, "
        "and lower CHECKOUT_CARD_TESTING_…: docs/card-testing.md.",
    ),
    "security.livemode_mismatch": Advice(
        "Event of the other mode",
        "Check which of Stripe's endpoints points here: a live endpoint at a test system loses real payments, and its "
        "signing secret is in the wrong place.",
    ),
    "security.event_body_changed": Advice(
        "Event changed",
        "Compare the event in Stripe's dashboard with the row in webhooks.stripe_events. If Stripe says what we have, "
        "somebody else can sign: roll the signing secret.",
    ),
}
# For types that another service may come to send before this one knows of them.
OTHERWISE = Advice("Security", "Read the event's detail and the log of the service that sent it.")


def name_of(type_: str) -> str:
    """A type's rule: "security_bad_signatures"."""
    return type_.replace(".", "_") if type_ in ADVICE else "security_other"
