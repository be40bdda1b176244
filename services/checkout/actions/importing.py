"""Importing a file row by row: what it would change is the same code as changing it, so a preview can't be wrong.

One transaction: all of the file or nothing. Stock is locked only at the end, so that orders don't wait for the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import asyncpg

from services.checkout import domain
from services.checkout.actions import stock
from services.checkout.domain import Difference, Fields, Known, Reason, Row
from services.checkout.store import importing as store
from services.checkout.store.stock import Cause
from shared.audit import audit
from shared.db import Connection, Pool
from shared.errors import FieldError, Invalid

CHUNK = 2000
SHOWN = 5  # examples of each kind of difference
MOST_ERRORS = 50

VARIANT_DEFAULTS: Fields = {"weight_grams": 0, "active": True}
PRODUCT_DEFAULTS: Fields = {"description": "", "tax_class": "standard"}


class ImportRefused(Invalid):
    """The file has errors and none of it was imported; `errors` name line and column."""


@dataclass
class Preview:
    """What a file changes, or would: how much of each kind, and the first few of it."""

    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Difference]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)  # on sale in the shop, not in the file

    def note(self, differences: Iterable[Difference]) -> None:
        for each in differences:
            kind = f"new {each.kind}" if each.what == "new" else each.kind
            self.counts[kind] += 1
            shown = self.examples.setdefault(kind, [])
            if len(shown) < SHOWN:
                shown.append(each)


@dataclass(frozen=True)
class Wish:
    """How an import is meant. Nothing is written unless `is_meant`."""

    actor: str
    is_meant: bool
    deactivates_missing: bool = False


@dataclass
class _Progress:
    """What has been read of the file so far."""

    preview: Preview = field(default_factory=Preview)
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)  # SKU -> where it was
    products: dict[str, Fields] = field(default_factory=dict)
    told_by: dict[tuple[str, str], int] = field(default_factory=dict)  # (product, field) -> which line said it
    counted: list[tuple[str, int]] = field(default_factory=list)
    received: list[tuple[str, int]] = field(default_factory=list)

    def refuse(self, row: Row, error: Invalid) -> None:
        self.errors += [(row.line, each.field, each.detail) for each in error.errors]


async def import_rows(
    pool: Pool, rows: Iterable[Row], wish: Wish, report: Callable[[int], None] = lambda _: None
) -> Preview:
    """Brings the shop to what the rows say, and answers what that changed. `report` is told how many rows are done.

    Raises ImportRefused naming every bad line: then nothing was written.
    """
    progress, waiting = _Progress(), iter(rows)
    async with pool.worker() as conn:
        while chunk := list(islice(waiting, CHUNK)):
            await _take(conn, chunk, progress, wish)
            progress.preview.rows += len(chunk)
            report(progress.preview.rows)
            if len(progress.errors) > MOST_ERRORS:
                break
        if progress.errors:
            raise refused(progress.errors)
        await _finish(conn, progress, wish)
    return progress.preview


def refused(errors: Sequence[tuple[int, str, str]]) -> ImportRefused:
    """The refusal that names each (line, column, what is wrong)."""
    problems = [FieldError(f"line {line}, {column}", detail) for line, column, detail in errors[:MOST_ERRORS]]
    return ImportRefused(f"{len(errors)} errors; nothing was imported", errors=problems)


async def _take(conn: Connection, chunk: list[Row], progress: _Progress, wish: Wish) -> None:
    known = await store.select_known(conn, [row.sku for row in chunk])
    ids = {row.product_id for row in chunk if row.product_id} | {each.product_id for each in known.values()}
    progress.products |= await store.select_products(conn, [each for each in ids if each not in progress.products])
    changed: list[tuple[Row, list[Difference]]] = []
    for row in chunk:
        try:
            _check_once(row, known.get(row.sku), progress)
            changed.append((row, list(_differences(row, known.get(row.sku), progress))))
        except Invalid as error:
            progress.refuse(row, error)
    if wish.is_meant and not progress.errors:
        await _write(conn, [(row, differences) for row, differences in changed if differences], known, progress)


def _check_once(row: Row, known: Known | None, progress: _Progress) -> None:
    """A SKU has one line, and lines of one product say the same of it."""
    if row.sku in progress.lines:
        raise Invalid(f"{row.sku} stands in line {progress.lines[row.sku]} already", field="sku")
    progress.lines[row.sku] = row.line
    product_id = row.product_id or (known.product_id if known else "")
    for name, value in row.product.items():
        first = progress.told_by.setdefault((product_id, name), row.line)
        if first != row.line and progress.products[product_id][name] != value:
            raise Invalid(f"differs from what line {first} says of the product {product_id}", field=name)


def _differences(row: Row, known: Known | None, progress: _Progress) -> Iterator[Difference]:
    product_id = row.product_id or (known.product_id if known else "")
    product = progress.products.get(product_id)
    found = domain.compare(row, known, product)
    progress.products[product_id] = {**PRODUCT_DEFAULTS, **(product or {}), **row.product}
    if row.on_hand is not None and any(each.kind == "stock" for each in found):
        (progress.counted if known else progress.received).append((row.sku, row.on_hand))
    progress.preview.note(found)
    return iter(found)


async def _write(
    conn: Connection, changed: list[tuple[Row, list[Difference]]], known: dict[str, Known], progress: _Progress
) -> None:
    kinds = [(row, {each.kind for each in differences}, differences) for row, differences in changed]
    products = {each.subject for _, _, differences in kinds for each in differences if each.kind == "product"}
    await store.upsert_products(conn, {each: progress.products[each] for each in sorted(products)})
    variants = []
    for row in (row for row, kind, _ in kinds if "variant" in kind):
        before = known.get(row.sku)
        product_id = before.product_id if before else row.product_id
        assert product_id is not None  # compare() refused the row otherwise
        variants.append((row, product_id, {**VARIANT_DEFAULTS, **(before.variant if before else {}), **row.variant}))
    await store.upsert_variants(conn, variants)
    await store.insert_missing_stock(conn, [row.sku for row, _, _ in variants])
    prices = [(row.sku, d.what, row.prices[d.what]) for row, _, found in kinds for d in found if d.kind == "price"]
    await store.write_prices(conn, prices)
    thresholds = [(row.sku, row.low_at) for row, kind, _ in kinds if "threshold" in kind and row.low_at is not None]
    await store.update_low_at(conn, thresholds)


async def _finish(conn: Connection, progress: _Progress, wish: Wish) -> None:
    preview = progress.preview
    preview.missing = [sku for sku in await store.select_on_sale(conn) if sku not in progress.lines]
    if not wish.is_meant:
        return
    if wish.deactivates_missing:
        await store.deactivate(conn, preview.missing)
    await _write_stock(conn, progress, wish.actor)
    if preview.counts or (wish.deactivates_missing and preview.missing):
        details: dict[str, object] = {"rows": preview.rows, **preview.counts}
        await audit(conn, actor=wish.actor, action="catalogue.import", subject="catalogue", details=details)


async def _write_stock(conn: Connection, progress: _Progress, actor: str) -> None:
    for reason, wanted in ((Reason.IMPORT, progress.received), (Reason.RECOUNT, progress.counted)):
        ordered = sorted(wanted)
        for start in range(0, len(ordered), CHUNK):
            changes = await store.select_changes_to(conn, ordered[start : start + CHUNK])
            try:
                await stock.change(conn, changes, Cause(reason, actor, note="imported from a file"))
            except asyncpg.CheckViolationError as error:
                sku = stock.short_sku(error)
                detail = "was promised to an order while the file was read; import it again"
                raise refused([(progress.lines[sku], "on_hand", detail)]) from error
