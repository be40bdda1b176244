"""The walk through the shop: what a shopper, Stripe and a bad day do to it, and what must come of each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.demo.walk import alert, catching_up, decline, expiry, purchase, restart, secure, sending, webhooks
from deploy.demo.walk.scene import Scene

__all__ = ["STEPS", "Scene", "WalkStep"]


@dataclass(frozen=True)
class WalkStep:
    name: str
    title: str
    take: Callable[[Scene], Awaitable[None]]
    logs: tuple[str, ...] = ("checkout", "webhooks", "notifier")


STEPS = (
    WalkStep("abandoned_order", "A shopper fills a basket and leaves", expiry.leave_behind, ("checkout",)),
    WalkStep("purchase", "A purchase that succeeds", purchase.buy),
    WalkStep("decline", "A card is declined; another one pays", decline.be_declined),
    WalkStep("three_d_secure", "A bank asks its customer first (3-D Secure)", secure.be_asked),
    WalkStep("sending", "A bank warns of fraud; a person decides, and the order is sent", sending.decide),
    WalkStep("webhooks", "Stripe's events come twice and out of order", webhooks.repeat, ("webhooks", "checkout")),
    WalkStep("catching_up", "Webhooks is away while somebody pays", catching_up.miss, ("webhooks", "checkout")),
    WalkStep("restart", "A process is killed and comes back", restart.kill, ("checkout",)),
    WalkStep("alert", "A process stays away: people are told, and told again", alert.raise_and_resolve, ("monitor",)),
    WalkStep("expiry", "The abandoned order expires", expiry.give_back, ("checkout", "webhooks")),
)
