"""What happens to one message: handled, tried again later, or buried with its reason.

handled              the consumer's transaction commits, then the message is acknowledged
database away        the message waits in hand, and with it, once the prefetch is full, the whole queue; so it does
                     after a deadlock, or behind a lock that somebody holds for long: neither counts as a try
may pass later, bug  a copy goes to the next delay step; after the last one it is buried
can't ever pass      buried at once
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from aio_pika.abc import AbstractIncomingMessage

from shared import events, inbox, metrics, topology, tracing
from shared.db import Connection, Pool, is_database_away, is_in_the_way
from shared.errors import AppError
from shared.events import Event, UnreadableEvent
from shared.redaction import redact

log = logging.getLogger(__name__)

Consumer: TypeAlias = Callable[[Connection, Event], Awaitable[None]]
PublishTo: TypeAlias = Callable[[str, str, AbstractIncomingMessage, Mapping[str, object]], Awaitable[None]]

ATTEMPTS = "x-kct-attempts"
REASON = "x-kct-reason"

LONGEST_PAUSE_S = 2.0


class Delivery:
    """Takes the messages of one queue to one consumer."""

    def __init__(
        self,
        pool: Pool,
        queue: str,
        consumer: Consumer,
        retry_steps_s: Sequence[float],
        publish_to: PublishTo,
    ) -> None:
        self.queue = queue
        self.running: set[asyncio.Task[None]] = set()
        self._pool = pool
        self._consumer = consumer
        self._retry_steps_s = retry_steps_s
        self._publish_to = publish_to

    async def receive(self, message: AbstractIncomingMessage) -> None:
        """Called by aio-pika, in a task of its own, up to the prefetch at once."""
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        metrics.BUS_LAST_MESSAGE.labels(queue=self.queue).set_to_current_time()
        try:
            await self._settle(message)
        except Exception as error:
            # The broker went away before it heard our answer: it will deliver the message again.
            log.warning("not settled", extra={"queue": self.queue, "reason": type(error).__name__})
            with contextlib.suppress(Exception):
                await message.reject(requeue=True)
        finally:
            self.running.discard(task)

    async def _settle(self, message: AbstractIncomingMessage) -> None:
        try:
            event = events.decode(message.body)
        except UnreadableEvent as error:
            await self._bury(message, error)
            return
        try:
            await self._handle(message, event)
        except AppError as error:
            await (self._retry(message, error) if error.may_pass_later else self._bury(message, error))
        except Exception as error:
            log.exception("consumer failed", extra={"queue": self.queue, "event_id": str(event.id)})
            await self._retry(message, error)
        else:
            await message.ack()
            metrics.BUS_CONSUMED.labels(queue=self.queue, outcome="handled").inc()

    async def _handle(self, message: AbstractIncomingMessage, event: Event) -> None:
        traceparent = message.headers.get("traceparent")
        parent = traceparent if isinstance(traceparent, str) else None
        with tracing.span(f"process {self.queue}", kind="consumer", parent=parent, **_attributes(self, event)):
            pause = 0.1
            while True:
                try:
                    await self._once(event)
                    return
                except Exception as error:
                    if not (is_database_away(error) or is_in_the_way(error)):
                        raise
                    log.warning("database not to be had", extra={"queue": self.queue, "reason": type(error).__name__})
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _once(self, event: Event) -> None:
        with metrics.BUS_CONSUME_SECONDS.labels(queue=self.queue).time():
            await self._claim_and_handle(event)

    async def _claim_and_handle(self, event: Event) -> None:
        async with self._pool.worker() as conn:
            if await inbox.claim(conn, self.queue, event.id):
                await self._consumer(conn, event)

    async def _retry(self, message: AbstractIncomingMessage, error: Exception) -> None:
        attempts = _attempts(message) + 1
        if attempts > len(self._retry_steps_s):
            await self._bury(message, error)
            return
        delay = topology.delay_name(self._retry_steps_s[attempts - 1])
        await self._publish_to(delay, self.queue, message, {**_trace(message), ATTEMPTS: attempts})
        await message.ack()
        metrics.BUS_CONSUMED.labels(queue=self.queue, outcome="retried").inc()
        log.warning(
            "tried again later",
            extra={**_facts(self, message), "attempts": attempts, "reason": _reason(error)},
        )

    async def _bury(self, message: AbstractIncomingMessage, error: Exception) -> None:
        headers = {**_trace(message), ATTEMPTS: _attempts(message) + 1, REASON: _reason(error)}
        await self._publish_to(topology.DEAD_EXCHANGE, self.queue, message, headers)
        await message.ack()
        metrics.BUS_CONSUMED.labels(queue=self.queue, outcome="buried").inc()
        log.error("buried", extra={**_facts(self, message), "reason": _reason(error)})


def _attributes(delivery: Delivery, event: Event) -> dict[str, str]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.destination.name": delivery.queue,
        "messaging.rabbitmq.destination.routing_key": event.type,
        "messaging.message.id": str(event.id),
    }


def _attempts(message: AbstractIncomingMessage) -> int:
    attempts = message.headers.get(ATTEMPTS, 0)
    return attempts if isinstance(attempts, int) else 0


def _trace(message: AbstractIncomingMessage) -> dict[str, object]:
    return {"traceparent": message.headers["traceparent"]} if "traceparent" in message.headers else {}


def _reason(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}")[:500]


def _facts(delivery: Delivery, message: AbstractIncomingMessage) -> dict[str, str]:
    return {"queue": delivery.queue, "event_id": message.message_id or "", "type": message.type or ""}
