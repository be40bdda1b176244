"""Which pieces an order takes."""

from collections.abc import Iterable

from services.checkout.domain.pricing import Line
from shared.errors import Conflict


class OutOfStock(Conflict):
    code = "out_of_stock"
    title = "There are not enough pieces left"


def pieces(lines: Iterable[Line]) -> list[tuple[str, int]]:
    """How many pieces of each SKU, sorted: everybody locks stock in this order, so that nobody waits in a circle.

    Two lines of one SKU are added up first; checked one by one, each could be satisfied and both oversold.
    """
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return sorted(wanted.items())
