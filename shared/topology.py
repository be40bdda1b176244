"""Which queue hears which events, and how the broker is laid out: the whole of it, declared by every process.

A queue that only its own consumer declares does not exist until that consumer has run once, and what was published
before is lost without a trace: `mandatory` notices an event that nobody hears, not one that somebody misses.

    kct.events (topic) ──type──▶ queue ──delivery limit──▶ kct.dead (direct) ──▶ queue.dead
                                   ▲
    kct.delay.5000ms (fanout) ──▶ kct.delay.5000ms ──after 5 s, through the default exchange, to the queue it names

Arguments of a queue can't be changed on a live broker: a delay is part of its queue's name for that reason.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

from shared import events
from shared.events import Event

if TYPE_CHECKING:
    from pamqp.common import FieldValue

Arguments: TypeAlias = dict[str, "FieldValue"]

EVENTS_EXCHANGE = "kct.events"
METRICS_EXCHANGE = "kct.metrics"
DEAD_EXCHANGE = "kct.dead"

EVERYTHING = "#"

# queue (service.consumer) -> what it hears
QUEUES: Mapping[str, tuple[type[Event], ...] | str] = {
    "checkout.on_payment_succeeded": (events.PaymentSucceeded,),
    "checkout.on_payment_failed": (events.PaymentFailed,),
    "checkout.on_payment_progress": (
        events.PaymentProcessing,
        events.PaymentActionRequired,
        events.PaymentCanceled,
    ),
    "checkout.on_money_moved": (
        events.RefundCreated,
        events.RefundUpdated,
        events.RefundFailed,
        events.PaymentRefunded,
        events.PaymentBooked,
        events.DisputeCreated,
        events.DisputeUpdated,
        events.DisputeClosed,
        events.DisputeFundsWithdrawn,
        events.DisputeFundsReinstated,
        events.ReviewOpened,
        events.ReviewClosed,
        events.FraudWarningCreated,
        events.FraudWarningUpdated,
    ),
    "checkout.on_mail": (events.MailAccepted, events.MailRefused, events.MailUnknown),
    "checkout.on_events_fetched": (events.ReconciliationEventsFetched,),
    "webhooks.on_reconciliation_began": (events.ReconciliationBegan,),
    "notifier.on_order_paid": (events.OrderPaid,),
    "notifier.on_order_payment_failed": (events.OrderPaymentFailed,),
    "notifier.on_order_shipped": (events.OrderShipped,),
    "notifier.on_order_refunded": (events.OrderRefunded,),
    "notifier.on_order_refund_failed": (events.OrderRefundFailed,),
    "monitor.on_event": EVERYTHING,
}

# The net below our own counting: a message that kills its consumer this often is buried by the broker itself.
DELIVERY_LIMIT = 20

# Messages are moved between queues only once the next one has them (RabbitMQ >= 3.10); needs reject-publish.
_SAFELY: Arguments = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def routing_keys(heard: tuple[type[Event], ...] | str) -> tuple[str, ...]:
    """The patterns that bind a queue to the exchange of events."""
    return (heard,) if isinstance(heard, str) else tuple(event.type for event in heard)


def dead_queue(queue: str) -> str:
    """Where the messages of a queue end that could not be handled."""
    return f"{queue}.dead"


def delay_name(seconds: float) -> str:
    """The exchange, and the queue behind it, that give a message back after so many seconds."""
    return f"kct.delay.{round(seconds * 1000)}ms"


async def declare(channel: AbstractChannel, retry_steps_s: Sequence[float], queues: Mapping[str, object]) -> None:
    """Declares everything; harmless to repeat. `queues` is QUEUES, except in tests of the bus itself."""
    await channel.declare_exchange(EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True)
    await channel.declare_exchange(METRICS_EXCHANGE, ExchangeType.FANOUT, durable=True)
    await channel.declare_exchange(DEAD_EXCHANGE, ExchangeType.DIRECT, durable=True)
    await asyncio.gather(*(_declare_delay(channel, seconds) for seconds in dict.fromkeys(retry_steps_s)))
    await asyncio.gather(*(_declare_queue(channel, name, heard) for name, heard in queues.items()))


async def _declare_delay(channel: AbstractChannel, seconds: float) -> None:
    name = delay_name(seconds)
    await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-message-ttl": round(seconds * 1000),
        # The default exchange delivers to the queue that the routing key names, and the key is kept.
        "x-dead-letter-exchange": "",
        **_SAFELY,
    }
    queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    await queue.bind(name)


async def _declare_queue(channel: AbstractChannel, name: str, heard: object) -> None:
    dead = await channel.declare_queue(dead_queue(name), durable=True, arguments={"x-queue-type": "quorum"})
    await dead.bind(DEAD_EXCHANGE, routing_key=name)
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": name,
        **_SAFELY,
    }
    queue = await channel.declare_queue(name, durable=True, arguments=arguments)
    assert isinstance(heard, tuple | str)
    for key in routing_keys(heard):
        await queue.bind(EVENTS_EXCHANGE, routing_key=key)
