"""What an import would change: rows of a file against what the shop has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from services.checkout.domain.stock import Stock
from shared.errors import FieldError, Invalid
from shared.money import Money

Fields: TypeAlias = Mapping[str, str | int | bool]

PRODUCT_FIELDS = ("name", "category", "description", "tax_class")
VARIANT_FIELDS = ("size", "colour", "weight_grams", "active")
NEW_PRODUCT_NEEDS = ("name", "category")
NEW_VARIANT_NEEDS = ("size", "colour")


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of a file says about a SKU. What it doesn't say stays as it is; a price of None is taken away."""

    line: int
    sku: str
    product_id: str | None = None
    product: Fields = field(default_factory=dict)
    variant: Fields = field(default_factory=dict)
    prices: Mapping[str, Money | None] = field(default_factory=dict)
    low_at: int | None = None
    on_hand: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A SKU as the shop has it."""

    product_id: str
    variant: Fields
    prices: Mapping[str, Money]
    stock: Stock


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that an import would change. `before` is None for what is new."""

    kind: str  # product, variant, price, stock, threshold
    subject: str
    what: str
    before: object
    after: object


def compare(row: Row, known: Known | None, product: Fields | None) -> list[Difference]:
    """What the row would change. `product` is the one it belongs to, as it is so far. Raises Invalid."""
    if known is not None and row.product_id not in (None, known.product_id):
        raise Invalid(f"belongs to the product {known.product_id}, and a SKU keeps its product", field="product_id")
    if known is None:
        _check_new(row, product)
    return [
        *_compare_product(row, known, product),
        *_compare_variant(row, known),
        *_compare_prices(row, known.prices if known else {}),
        *_compare_stock(row, known.stock if known else Stock(row.sku, 0, 0, 0)),
    ]


def _check_new(row: Row, product: Fields | None) -> None:
    needed = [name for name in NEW_VARIANT_NEEDS if name not in row.variant]
    if row.product_id is None:
        needed.append("product_id")
    elif product is None:
        needed += [name for name in NEW_PRODUCT_NEEDS if name not in row.product]
    if needed:
        raise Invalid(errors=[FieldError(name, f"is needed, since {row.sku} is new") for name in needed])


def _compare_product(row: Row, known: Known | None, product: Fields | None) -> list[Difference]:
    product_id = row.product_id or (known.product_id if known else "")
    if product is None:
        return [Difference("product", product_id, "new", None, row.product["name"])]
    return [
        Difference("product", product_id, name, product[name], value)
        for name, value in row.product.items()
        if value != product[name]
    ]


def _compare_variant(row: Row, known: Known | None) -> list[Difference]:
    if known is None:
        return [Difference("variant", row.sku, "new", None, f"{row.variant['colour']}, {row.variant['size']}")]
    return [
        Difference("variant", row.sku, name, known.variant[name], value)
        for name, value in row.variant.items()
        if value != known.variant[name]
    ]


def _compare_prices(row: Row, prices: Mapping[str, Money]) -> list[Difference]:
    return [
        Difference("price", row.sku, currency, prices.get(currency), price)
        for currency, price in row.prices.items()
        if price != prices.get(currency)
    ]


def _compare_stock(row: Row, stock: Stock) -> list[Difference]:
    found = []
    if row.on_hand is not None and row.on_hand != stock.on_hand:
        if row.on_hand < stock.reserved:
            raise Invalid(
                f"is less than the {stock.reserved} pieces that are promised to open orders: "
                "count again, or wait until those are paid or expire",
                field="on_hand",
            )
        found.append(Difference("stock", row.sku, "on hand", stock.on_hand, row.on_hand))
    if row.low_at is not None and row.low_at != stock.low_at:
        found.append(Difference("threshold", row.sku, "low at", stock.low_at, row.low_at))
    return found
