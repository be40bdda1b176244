"""A catalogue as CSV, row by row: comma, semicolon or tab; UTF-8 with or without a mark at its beginning.

The columns that a file has are those that are imported, so `sku,on_hand` is a stocktaking and `sku,price_eur` a price
list. An empty cell leaves things as they are; `-` takes a price away.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from deploy.ops.unreadable import Unreadable
from services.checkout.domain import Row
from shared.errors import FieldError, Invalid
from shared.money import EXPONENTS, Money, UnreadableAmount, parse_amount

PATTERNS = {
    "sku": (re.compile(r"[A-Z0-9-]{1,40}"), "has to be 1 to 40 of A-Z, 0-9 and -"),
    "product_id": (re.compile(r"[a-z0-9-]{1,60}"), "has to be 1 to 60 of a-z, 0-9 and -"),
    "tax_class": (re.compile(r"[a-z0-9_-]{1,40}"), "has to be 1 to 40 of a-z, 0-9, _ and -"),
}
LONGEST = {"name": 200, "category": 60, "description": 2000, "size": 60, "colour": 60}
LARGEST = {"weight_grams": 1_000_000, "low_at": 1_000_000_000, "on_hand": 1_000_000_000}
ACTIVE = {"yes": True, "no": False}

PRODUCT = ("name", "category", "description", "tax_class")
VARIANT = ("size", "colour", "weight_grams", "active")
COLUMNS = ("sku", "product_id", *PRODUCT, *VARIANT, "low_at", "on_hand")
PRICE = "price_"

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read_rows(path: Path, errors: list[tuple[int, str, str]]) -> Iterator[Row]:
    """The rows of the file. What is wrong with a line goes to `errors` (line, column, what), and the next is read.

    Raises Unreadable when the file can't be read at all.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(file, errors)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8; save it as “CSV UTF-8” and import that") from error
    except csv.Error as error:
        raise Unreadable(f"{path}: {error}; is a quotation mark missing?") from error


def _rows(file: TextIO, errors: list[tuple[int, str, str]]) -> Iterator[Row]:
    first = file.readline()
    delimiter = max(",;\t", key=first.count)
    columns = _header(next(csv.reader([first], delimiter=delimiter), []))
    has_decimal_comma = delimiter == ";"  # as spreadsheets write it where the comma parts the decimals
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    line = 2
    for cells in reader:
        try:
            if any(cell.strip() for cell in cells):
                yield _row(line, columns, cells, has_decimal_comma=has_decimal_comma)
        except Invalid as error:
            errors += [(line, each.field, each.detail) for each in error.errors]
        line = 2 + reader.line_num


def _header(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    prices = [name for name in names if name.startswith(PRICE)]
    unknown = [name for name in names if name not in COLUMNS and name not in prices]
    unknown += [name for name in prices if name.removeprefix(PRICE) not in EXPONENTS]
    if unknown or "sku" not in names:
        wrong = f"there is no column {', '.join(map(repr, unknown))}" if unknown else "the column sku is missing"
        raise Unreadable(f"line 1: {wrong}; there are {', '.join(COLUMNS)} and {PRICE}usd and so on for each currency")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unreadable(f"line 1: the column {', '.join(twice)} stands there twice")
    return names


def _row(line: int, columns: list[str], cells: list[str], *, has_decimal_comma: bool) -> Row:
    if len(cells) != len(columns):
        raise Invalid(f"has {len(cells)} cells, and the header has {len(columns)}", field="line")
    given = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}
    if "sku" not in given:
        raise Invalid("is missing", field="sku")
    errors: list[FieldError] = []
    values: dict[str, str | int | bool] = {}
    prices: dict[str, Money | None] = {}
    for name, text in given.items():
        try:
            if name.startswith(PRICE):
                prices[name.removeprefix(PRICE)] = _price(name, text, has_decimal_comma=has_decimal_comma)
            else:
                values[name] = _value(name, text)
        except ValueError as error:
            errors.append(FieldError(name, str(error)))
    if errors:
        raise Invalid(errors=errors)
    return _assembled(line, values, prices)


def _assembled(line: int, values: dict[str, str | int | bool], prices: dict[str, Money | None]) -> Row:
    low_at, on_hand = values.get("low_at"), values.get("on_hand")
    return Row(
        line=line,
        sku=str(values["sku"]),
        product_id=str(values["product_id"]) if "product_id" in values else None,
        product={name: values[name] for name in PRODUCT if name in values},
        variant={name: values[name] for name in VARIANT if name in values},
        prices=prices,
        low_at=None if low_at is None else int(low_at),
        on_hand=None if on_hand is None else int(on_hand),
    )


def _price(name: str, text: str, *, has_decimal_comma: bool) -> Money | None:
    if text == "-":
        return None
    try:
        price = parse_amount(text.replace(",", ".") if has_decimal_comma else text, name.removeprefix(PRICE))
    except UnreadableAmount as error:
        raise ValueError(f"“{text[:30]}” {error}") from error
    if not price.amount_minor:
        raise ValueError("has to be more than nothing; write - to stop selling in this currency")
    return price


def _value(name: str, text: str) -> str | int | bool:
    if name == "active":
        if text.lower() not in ACTIVE:
            raise ValueError("has to be yes or no")
        return ACTIVE[text.lower()]
    if name in LARGEST:
        if not re.fullmatch("[0-9]{1,10}", text) or int(text) > LARGEST[name]:
            raise ValueError(f"has to be a whole number from 0 to {LARGEST[name]}")
        return int(text)
    if name in PATTERNS:
        pattern, words = PATTERNS[name]
        if not pattern.fullmatch(text):
            raise ValueError(words)
        return text
    if len(text) > LONGEST[name] or _CONTROL.search(text):
        raise ValueError(f"has to be text of at most {LONGEST[name]} characters")
    return text
