"""Webhook ingestion with a million events stored, beside the same process on an empty inbox before."""

from statistics import median

from deploy.demo.backing import Backing
from deploy.demo.stage import Stage
from tests.bench import door
from tests.bench.door import CEILING, REAL
from tests.bench.figures import Figure, figure, quantile
from tests.bench.load import Burst, rss_mb

STORED = 1_000_000
CONNECTIONS = 64
EVENTS = 3000
ROUNDS = 5

# Slim: what counts is how many there are, in the indexes that every event passes.
FILL = (
    """
    INSERT INTO webhooks.stripe_event_ids (id, content_digest, signed_at)
    SELECT 'evt_filler' || md5(n::text), sha256(n::text::bytea), n FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO webhooks.stripe_events (stripe_event_id, received_at, type, body, livemode, state, published_at)
    SELECT id, received_at, 'payment_intent.succeeded', decode(md5(id), 'hex'), false, 'published', now()
    FROM webhooks.stripe_event_ids WHERE starts_with(id, 'evt_filler')
    """,
)


async def measure(stage: Stage, _: Backing) -> list[Figure]:
    """Floor: the empty inbox. Each round stands beside a burst of the ceiling, which takes the machine's mood out."""
    ports = await door.start(stage, REAL, CEILING)
    empty = [await _round(stage, ports) for _round_ in range(ROUNDS)]
    for statement in FILL:
        await stage.look(statement, *([STORED] if "$1" in statement else []), as_owner=True)
    await stage.look("ANALYZE webhooks.stripe_events, webhooks.stripe_event_ids", as_owner=True)
    await stage.look("CHECKPOINT", as_owner=True)
    await _round(stage, ports)  # what was cached before is cached again
    full = [await _round(stage, ports) for _round_ in range(ROUNDS)]
    busy = median([real.cpu_us(REAL) for real, _ in full])
    return [
        figure("accepted of the ceiling", _shares(full), "", _shares(empty), f"floor: before {STORED:,} were stored"),
        figure("accepted", _rates(full), "events/s", _rates(empty), "floor: before"),
        figure("p99", _p99s(full), "ms", _p99s(empty), f"floor: before; CPU {busy:.0f} us/event"),
        figure("memory", [rss_mb(stage.supervisor.pids[REAL][0])], "MB"),
    ]


async def _round(stage: Stage, ports: dict[str, int]) -> tuple[Burst, Burst]:
    load = (CONNECTIONS, EVENTS)
    ceiling, _ = await door.fire_at(stage, CEILING, ports[CEILING], load)
    real, _ = await door.fire_at(stage, REAL, ports[REAL], load)
    return real, ceiling


def _shares(rounds: list[tuple[Burst, Burst]]) -> list[float]:
    return [real.per_s / ceiling.per_s for real, ceiling in rounds]


def _rates(rounds: list[tuple[Burst, Burst]]) -> list[float]:
    return [real.per_s for real, _ in rounds]


def _p99s(rounds: list[tuple[Burst, Burst]]) -> list[float]:
    return [quantile(real.times, 0.99) * 1000 for real, _ in rounds]
