"""What a first try looks like: the package's signature check, one INSERT, one publish with its confirm, 200.

`python -m tests.bench.naive PORT`, with NAIVE_DATABASE_URL, NAIVE_AMQP_URL and NAIVE_SECRET. No roles, no limits, no
logs, no metrics, no traces, and an event is lost when the process dies between the two.
"""

import os
import sys
from collections.abc import AsyncIterator

import aio_pika
import asyncpg
import orjson
import stripe
import uvloop
from aiohttp import web

POOL = web.AppKey("POOL", asyncpg.Pool)
EXCHANGE = web.AppKey("EXCHANGE", aio_pika.abc.AbstractExchange)


async def receive(request: web.Request) -> web.Response:
    body = await request.read()
    stripe.WebhookSignature.verify_header(
        body.decode(), request.headers["Stripe-Signature"], os.environ["NAIVE_SECRET"], 300
    )
    event = orjson.loads(body)
    await request.app[POOL].execute(
        "INSERT INTO naive_events (id, type, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        event["id"],
        event["type"],
        body,
    )
    message = aio_pika.Message(body, message_id=event["id"], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await request.app[EXCHANGE].publish(message, "naive", mandatory=True)
    return web.json_response({"received": True})


async def resources(app: web.Application) -> AsyncIterator[None]:
    async with (
        asyncpg.create_pool(os.environ["NAIVE_DATABASE_URL"], min_size=10, max_size=10) as pool,
        await aio_pika.connect(os.environ["NAIVE_AMQP_URL"]) as connection,
    ):
        await pool.execute("CREATE TABLE IF NOT EXISTS naive_events (id text PRIMARY KEY, type text, body bytea)")
        channel = await connection.channel(publisher_confirms=True)
        queue = await channel.declare_queue("naive", durable=True, arguments={"x-queue-type": "quorum"})
        exchange = await channel.declare_exchange("naive", durable=True)
        await queue.bind(exchange, "naive")
        app[POOL], app[EXCHANGE] = pool, exchange
        yield


async def healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(resources)
    app.add_routes([web.post("/webhooks/stripe", receive), web.get("/healthz", healthy)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
