"""The metrics every service has. What only one service counts lives in that service."""

import asyncio
import time

from shared.metrics.registry import counter, gauge, histogram

HTTP_REQUESTS = counter(
    "http_requests_total", "Requests answered, by route template.", ("route", "method", "status_class")
)
HTTP_SECONDS = histogram(
    "http_request_duration_seconds",
    "Time from request to answer; streams are left out, since they last as long as their reader.",
    ("route", "method", "status_class"),
)
HTTP_IN_PROGRESS = gauge("http_requests_in_progress", "Requests being answered right now.")
HTTP_REFUSED = counter("http_refused_total", "Requests refused before their handler ran, by reason.", ("reason",))

HTTP_CLIENT_REQUESTS = counter(
    "http_client_requests_total",
    "Calls to others: a status class, denied (401, 403), or how it failed.",
    ("peer", "method", "outcome"),
)
HTTP_CLIENT_SECONDS = histogram(
    "http_client_request_duration_seconds", "Time from call to the answer's headers.", ("peer", "method")
)

JOB_RUNS = counter("job_runs_total", "Batches of a job, by outcome (ok, failed).", ("job", "outcome"))
JOB_LAST_SUCCESS = gauge(
    "job_last_success_timestamp_seconds", "When the job last finished a batch without an error.", ("job",)
)

BUS_CONNECTED = gauge("bus_connected", "1 while the connection to RabbitMQ is open.")
BUS_PUBLISHED = counter("bus_published_total", "Messages given to RabbitMQ, by outcome of the confirm.", ("outcome",))
BUS_CONSUMED = counter(
    "bus_consumed_total", "Messages taken from a queue, by what became of them.", ("queue", "outcome")
)
BUS_CONSUME_SECONDS = histogram("bus_consume_duration_seconds", "Time to handle one message.", ("queue",))
BUS_LAST_MESSAGE = gauge(
    "bus_consumer_last_message_timestamp_seconds", "When a consumer last got a message.", ("queue",)
)

OUTBOX_PENDING = gauge("outbox_pending", "Events staged and not yet published.")
OUTBOX_OLDEST_AGE = gauge("outbox_oldest_age_seconds", "Age of the oldest event not yet published.")

LOOP_LAG = histogram(
    "event_loop_lag_seconds",
    "How much later than asked the event loop woke a sleeper.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
LAG_PROBE_S = 0.05  # long enough to be a real sleep, short enough to meet a blocked loop often


async def measure_loop_lag() -> int:
    """Job: one measurement. Nothing is left to do, so the loop rests before the next."""
    asked = time.perf_counter() + LAG_PROBE_S
    await asyncio.sleep(LAG_PROBE_S)
    LOOP_LAG.observe(max(0.0, time.perf_counter() - asked))
    return 0
