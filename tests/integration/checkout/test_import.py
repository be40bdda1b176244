"""Importing CSV: a preview first, all or nothing, the same file twice, and open orders in the middle of it."""

from pathlib import Path

import pytest

from services.checkout.actions.importing import ImportRefused, Wish, import_rows
from services.checkout.domain import Row
from shared.money import Money
from tests.integration.checkout.conftest import SKU, an_order
from tests.integration.checkout.test_payments import a_success, hear, journal_of, state_of, stock_of
from tests.integration.checkout.test_stock import ops

HEADER = "sku,product_id,name,category,size,colour,weight_grams,tax_class,price_usd,price_jpy,on_hand,low_at,active\n"
BOW_TIES = "".join(
    f"BOW-TIE-{colour.upper()},bow-tie,Bow tie,Accessories,One size,{colour},80,standard,39.90,6000,12,3,yes\n"
    for colour in ("Navy", "Red")
)
MEANT, PREVIEW = Wish("test", is_meant=True), Wish("test", is_meant=False)


async def everything(owner) -> list[str]:
    """All that an import could change."""
    found = []
    for table in ("products", "variants", "prices", "stock", "stock_journal"):
        found += [str(dict(row)) for row in await owner.fetch(f"SELECT * FROM checkout.{table} ORDER BY 1, 2")]
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.csv"
    path.write_text(HEADER + BOW_TIES + f"{SKU},silk-tie,Silk tie,Accessories,,,,,69.00,-,58,,\n", encoding="utf-8-sig")
    return path


async def test_a_preview_says_what_would_change_and_changes_nothing(pool, clean, amqp_url, owner, file):
    before = await everything(owner)
    code, output = await ops(clean, amqp_url, "import-catalogue", str(file))
    assert code == 0, output
    for line in (
        "3 rows read",
        "new product: 1",
        "new variant: 2",
        "BOW-TIE-NAVY: Navy, One size",
        f"{SKU}: usd 65.00 USD → 69.00 USD",
        f"{SKU}: on hand 60 → 58 (-2)",
        "not in the file",
        "Nothing was written",
    ):
        assert line in output
    assert await everything(owner) == before


async def test_what_was_previewed_is_written_and_the_same_file_again_changes_nothing(
    checkout, clean, amqp_url, owner, file
):
    code, output = await ops(clean, amqp_url, "import-catalogue", str(file), "--yes")
    assert (code, output.splitlines()[-1]) == (0, "Written.")
    assert await stock_of(owner) == await journal_of(owner) == (58, 0)
    assert await owner.fetchval("SELECT reason FROM checkout.stock_journal WHERE number = 2") == "recount"
    _, shown = await checkout.get("/v1/products?currency=jpy")
    [bow_ties] = shown["products"]
    assert [(v["colour"], v["unit_price_minor"], v["available"]) for v in bow_ties["variants"]] == [
        ("Navy", 6000, 12), ("Red", 6000, 12),
    ]  # fmt: skip
    status, placed = await checkout.place(an_order("BOW-TIE-RED", currency="jpy"))
    assert (status, placed["order"]["lines"][0]["line_total_minor"]) == (201, 6000)
    before = await everything(owner)
    code, output = await ops(clean, amqp_url, "import-catalogue", str(file), "--yes")
    assert (code, await everything(owner)) == (0, before)
    assert "Nothing to do" in output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("BOW-TIE-GREEN,bow-tie,Bow tie,Accessories,,Green,,,1.00,,,,\n", "line 5, size: is needed"),
        ("GLOVE,gloves,,,M,Black,,,1.00,,,,\n", "line 5, name: is needed"),
        ("BOW-TIE-RED,,,,,,,,1.00,,,,\n", "line 5, sku: BOW-TIE-RED stands in line 3 already"),
        (
            "BOW-TIE-BLUE,bow-tie,Other name,Accessories,M,Blue,,,1.00,,,,\n",
            "line 5, name: differs from what line 2 says",
        ),
        ("WOOL-SCARF-CAMEL,silk-tie,,,,,,,,,,,\n", "line 5, "),
        ("BOW-TIE-BLUE,bow-tie,,,M,Blue,,,1.999,,,,\n", "line 5, price_usd: “1.999” has more than the 2 decimals"),
    ],
)
async def test_one_bad_line_and_nothing_of_the_file_is_imported(pool, clean, amqp_url, owner, file, line, said):
    before = await everything(owner)
    file.write_text(file.read_text(encoding="utf-8-sig") + line)
    code, output = await ops(clean, amqp_url, "import-catalogue", str(file), "--yes")
    assert code == 1
    assert said in output
    assert "Traceback" not in output
    assert await everything(owner) == before


async def test_a_stocktaking_can_not_take_what_is_promised_to_open_orders(checkout, owner):
    await checkout.place(an_order(quantity=5))
    with pytest.raises(ImportRefused) as caught:
        await import_rows(checkout.till.pool, [Row(2, SKU, on_hand=4)], MEANT)
    [error] = caught.value.errors
    assert (error.field, "5 pieces" in error.detail) == ("line 2, on_hand", True)
    assert await stock_of(owner) == (60, 5)


async def test_a_variant_taken_off_sale_is_not_sold_any_more_and_open_orders_stay_alive(checkout, owner):
    _, placed = await checkout.place(an_order(quantity=2))
    await import_rows(checkout.till.pool, [Row(2, SKU, variant={"active": False})], MEANT)
    status, problem = await checkout.place()
    assert (status, problem["errors"][0]["field"]) == (422, "lines.0.sku")
    _, shown = await checkout.get("/v1/products")
    assert SKU not in str(shown)
    await hear(checkout, a_success(placed))
    assert await state_of(owner, placed) == ("paid", "none")
    assert await stock_of(owner) == await journal_of(owner) == (58, 0)


async def test_what_is_missing_in_the_file_is_taken_off_sale_only_when_asked_for(checkout):
    keep = [Row(2, SKU, prices={"usd": Money(6500, "usd")})]
    for wish in (PREVIEW, MEANT):
        assert len((await import_rows(checkout.till.pool, keep, wish)).missing) > 50
    assert len((await checkout.get("/v1/products"))[1]["products"]) > 10
    await import_rows(checkout.till.pool, keep, Wish("test", is_meant=True, deactivates_missing=True))
    [product] = (await checkout.get("/v1/products"))[1]["products"]
    assert [variant["sku"] for variant in product["variants"]] == [SKU]


async def test_a_long_file_is_read_in_pieces_and_says_how_far_it_is(pool, owner):
    rows = (
        Row(n + 2, f"LONG-{n}", f"long-{n // 10}", {"name": "L", "category": "L"}, {"size": "M", "colour": str(n)},
            {"usd": Money(100 + n, "usd")}, on_hand=n % 7)
        for n in range(4500)
    )  # fmt: skip
    told: list[int] = []
    preview = await import_rows(pool, rows, MEANT, told.append)
    assert told == [2000, 4000, 4500]
    assert preview.counts["new variant"] == 4500
    assert await owner.fetchval("SELECT count(*) FROM checkout.products WHERE id LIKE 'long-%'") == 450
    assert await owner.fetchval("SELECT count(*) FROM checkout.outbox") == 0  # new pieces are not "back"
    assert await owner.fetchval(
        "SELECT bool_and(s.on_hand = (SELECT coalesce(sum(on_hand_change), 0) FROM checkout.stock_journal j"
        " WHERE j.sku = s.sku)) FROM checkout.stock s"
    )
