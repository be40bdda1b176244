"""What every step of the walk has at hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.shopper import Placed, Shopper
from deploy.demo.stage import Stage
from deploy.demo.watching import Watcher


class Wrong(Exception):
    """Something came out otherwise than it must; the message says what."""


@dataclass
class Scene:
    stage: Stage
    say: Callable[[str], None]
    left_behind: list[Placed] = field(default_factory=list)

    @property
    def watcher(self) -> Watcher:
        return Watcher(self.stage.http, self.stage.addresses)

    def shopper(self, name: str) -> Shopper:
        return Shopper(self.stage.http, self.stage.addresses, name)

    def expect(self, what: str, found: Any, wanted: Any) -> None:
        if found != wanted:
            raise Wrong(f"{what}: {found}, and it must be {wanted}")

    async def stock(self, sku: str) -> tuple[int, int]:
        """On hand and reserved."""
        (row,) = await self.stage.look("SELECT on_hand, reserved FROM checkout.stock WHERE sku = $1", sku)
        return row["on_hand"], row["reserved"]

    async def shorten(self, placed: Placed, seconds: float) -> None:
        """The order's reservation ends so soon, if it would last longer."""
        query = """
            UPDATE checkout.orders SET reserved_until = least(reserved_until, now() + $2::float8 * interval '1 second'),
                expiry_due_at = least(expiry_due_at, now() + $2::float8 * interval '1 second')
            WHERE id = $1::text::uuid
        """
        await self.stage.look(query, placed.id, seconds, as_owner=True)

    async def letters(self, placed: Placed) -> dict[str, list[str]]:
        """Kind → the state of each letter about an order."""
        query = "SELECT kind, state FROM notifier.letters WHERE order_id = $1::text::uuid ORDER BY created_at"
        found: dict[str, list[str]] = {}
        for row in await self.stage.look(query, placed.id):
            found.setdefault(row["kind"], []).append(row["state"])
        return found
