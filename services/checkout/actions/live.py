"""Orders as they change, for the pages of those who wait: one question a second, for all orders together.

The question (as a worker) only learns which orders changed. What an order says is then read on behalf of its own
customer, so that row-level security stands between any two of them here too.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

from services.checkout.actions.orders import select_whole
from services.checkout.domain import WholeOrder
from services.checkout.settings import CheckoutSettings
from services.checkout.store import orders as store
from shared import tasks
from shared.db import Pool
from shared.errors import Unavailable
from shared.metrics import HTTP_REFUSED, gauge

STREAMS = gauge("checkout_live_streams", "Pages that are told about their order as it changes.")

# A page that gets no place asks for the order now and then instead.
RETRY_S = 10


class TooManyWatch(Unavailable):
    code = "too_many_watch"
    title = "All places for live status are taken; ask for the order now and then instead"


class Watch:
    """One page that waits. `version` is that of the order it was told last."""

    def __init__(self, order_id: UUID, version: str | None) -> None:
        self.order_id = order_id
        self.version = version
        self.is_over = False
        self.woken = asyncio.Event()

    async def wait(self, longest_s: float) -> bool:
        """Whether there may be something new; False when the time is over."""
        try:
            async with asyncio.timeout(longest_s):
                await self.woken.wait()
        except TimeoutError:
            return False
        self.woken.clear()
        return True


class Live:
    """All pages of this process that wait."""

    def __init__(self, pool: Pool, settings: CheckoutSettings) -> None:
        self.settings = settings
        self._pool = pool
        self._watches: dict[UUID, set[Watch]] = {}
        self._count = 0

    @contextlib.contextmanager
    def watching(self, order_id: UUID, version: str | None) -> Iterator[Watch]:
        """A place for one page, which has this version of the order already. Raises TooManyWatch."""
        of_order = self._watches.get(order_id, set())
        # Without the second bound, whoever has one order could take all places.
        if self._count >= self.settings.live_streams or len(of_order) >= self.settings.live_streams_per_order:
            HTTP_REFUSED.labels(reason="streams").inc()
            raise TooManyWatch(retry_after_s=RETRY_S)
        watch = Watch(order_id, version)
        self._watches.setdefault(order_id, of_order).add(watch)
        self._recount(+1)
        try:
            yield watch
        finally:
            of_order.discard(watch)
            if not of_order:
                del self._watches[order_id]
            self._recount(-1)

    async def look_at(self, watch: Watch) -> tuple[str, WholeOrder]:
        """The order with its version, as its own customer may see it. Raises NotFound."""
        async with self._pool.request(order_id=watch.order_id) as conn:
            # The version first: if the order changes in between, it is told once too often, never once too seldom.
            version = await store.select_version(conn, watch.order_id)
            return version, await select_whole(conn, watch.order_id)

    async def wake_the_changed(self) -> int:
        """Job: wakes those whose order is not the version they were told."""
        if self._watches:
            async with self._pool.worker() as conn:
                versions = await store.select_versions(conn, list(self._watches))
            for watch in self._all():
                if versions.get(watch.order_id) != watch.version:
                    watch.woken.set()
        return 0

    @contextlib.asynccontextmanager
    async def ending_with(self, draining: asyncio.Event) -> AsyncIterator[None]:
        """Ends all streams once the process is told to stop, so that their pages go to another process."""
        task = asyncio.create_task(self._end_with(draining), name="end live streams")
        try:
            yield
        finally:
            await tasks.end(task)

    async def _end_with(self, draining: asyncio.Event) -> None:
        await draining.wait()
        for watch in self._all():
            watch.is_over = True
            watch.woken.set()

    def _all(self) -> list[Watch]:
        return [watch for watches in self._watches.values() for watch in watches]

    def _recount(self, change: int) -> None:
        self._count += change
        STREAMS.set(self._count)
