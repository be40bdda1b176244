"""A catalogue as spreadsheets write it: encodings, delimiters, and errors that name the line."""

from pathlib import Path

import pytest

from deploy.ops.csv_file import read_rows
from deploy.ops.unreadable import Unreadable
from services.checkout.domain import Row
from shared.money import Money


def read(tmp_path: Path, content: str | bytes) -> tuple[list[Row], list[tuple[int, str, str]]]:
    file = tmp_path / "catalogue.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    errors: list[tuple[int, str, str]] = []
    return list(read_rows(file, errors)), errors


@pytest.mark.parametrize(
    "content",
    [
        "sku,price_usd,price_jpy,price_kwd,on_hand\nTIE,129.90,1500,12.340,7\n",
        "\ufeffSKU;price_usd;price_jpy;price_kwd;on_hand\r\nTIE;129,90;1500;12,340;7\r\n",
        'sku\tprice_usd\tprice_jpy\tprice_kwd\ton_hand\n\n"TIE"\t129.9\t1500\t12.34\t7',
    ],
    ids=["comma", "mark, semicolon and decimal comma", "tab, empty line, no last line end"],
)
def test_the_dialects_of_spreadsheets_say_the_same(tmp_path, content):
    [row], errors = read(tmp_path, content)
    assert errors == []
    assert (row.sku, row.on_hand) == ("TIE", 7)
    assert row.prices == {"usd": Money(12990, "usd"), "jpy": Money(1500, "jpy"), "kwd": Money(12340, "kwd")}


def test_an_empty_cell_leaves_things_as_they_are_and_a_dash_takes_a_price_away(tmp_path):
    [row], _ = read(tmp_path, "sku,name,price_usd,price_eur,active\nTIE,, ,-,no\n")
    assert (row.product, row.prices, row.variant) == ({}, {"eur": None}, {"active": False})


def test_every_bad_cell_is_named_with_its_line_and_the_good_lines_are_still_read(tmp_path):
    rows, errors = read(
        tmp_path,
        'sku,description,price_usd,price_jpy,on_hand,active\n'
        'TIE,"two\nlines",1.00,15.5,-1,maybe\n'
        "tie,,1.00,1,1,yes\n"
        "GOOD,,0,1\n"
        "FINE,,1.00,1,1,yes\n"
        ",,1,1,1,yes\n",
    )  # fmt: skip
    assert [row.sku for row in rows] == ["FINE"]
    assert [(line, column) for line, column, _ in errors] == [
        (2, "price_jpy"), (2, "on_hand"), (2, "active"), (4, "sku"), (5, "line"), (7, "sku"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,price_usd\n", "sku is missing"),
        ("sku,colour,color\n", "no column 'color'"),
        ("sku,price_xyz\n", "no column 'price_xyz'"),
        ("sku,on_hand,on_hand\n", "twice"),
        ("", "sku is missing"),
        ("sku,name\nTIE,Caf\xe9\n".encode("latin-1"), "UTF-8"),
        ("sku,name\n".encode("utf-16"), "UTF-8"),
        ('sku,name\nTIE,"open\n', "quotation mark"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_says_what_to_do(tmp_path, content, words):
    with pytest.raises(Unreadable, match=words):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_no_traceback(tmp_path):
    with pytest.raises(Unreadable, match="No such file"):
        list(read_rows(tmp_path / "none.csv", []))
