"""`import-catalogue`: fills the shop from a TOML file such as deploy/demo/catalogue.toml, or from CSV."""

import argparse
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, computed_field, model_validator

from deploy.ops import csv_import
from deploy.ops.settings import OpsSettings
from deploy.ops.unreadable import Unreadable
from services.checkout.actions import catalogue, pricing
from shared.db import open_pool
from shared.money import EXPONENTS


def _known(currency: str) -> str:
    if currency not in EXPONENTS:
        raise ValueError(f"the currency {currency} is not known")
    return currency


Currency = Annotated[str, AfterValidator(_known)]
Minor = Annotated[int, Field(ge=0)]
TaxClass = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")]
Id = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]


class MethodEntry(BaseModel):
    """`rates`: by currency, pairs of from how much on (minor units of goods, or grams) and the price in minor units."""

    model_config = ConfigDict(extra="forbid")

    id: Id
    name: Annotated[str, Field(min_length=1, max_length=100)]
    basis: Literal["total", "weight"] = "total"
    tax_class: TaxClass = "standard"
    rates: dict[Currency, Annotated[list[tuple[Minor, Minor]], Field(min_length=1)]]
    free_from: dict[Currency, Minor] = {}


class ZoneEntry(BaseModel):
    """`countries` are ISO codes, or * for all that no zone names. The first method is the default."""

    model_config = ConfigDict(extra="forbid")

    id: Id
    name: Annotated[str, Field(min_length=1, max_length=100)]
    countries: Annotated[list[Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]], Field(min_length=1)]
    methods: Annotated[list[MethodEntry], Field(min_length=1)]


class TaxRateEntry(BaseModel):
    """`included`: our prices contain this tax. Without a region it is the whole country's.

    `percent` may have four decimals, such as 8.875.
    """

    model_config = ConfigDict(extra="forbid")

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    region: Annotated[str, Field(pattern=r"^[A-Z0-9]{0,3}$")] = ""
    tax_class: TaxClass = "standard"
    percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)]
    included: bool

    @computed_field
    def millionths(self) -> int:
        return int(self.percent * 10_000)


class VariantEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$")]
    size: Annotated[str, Field(min_length=1)]
    colour: Annotated[str, Field(min_length=1)]
    on_hand: Annotated[int, Field(ge=0)]
    low_at: Annotated[int, Field(ge=0)] = 0
    weight_grams: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class ProductEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    name: Annotated[str, Field(min_length=1)]
    category: Annotated[str, Field(min_length=1)]
    description: str = ""
    tax_class: TaxClass = "standard"
    prices: Annotated[dict[Currency, Annotated[int, Field(gt=0)]], Field(min_length=1)]
    variants: Annotated[list[VariantEntry], Field(min_length=1)]


class Catalogue(BaseModel):
    """Zones and rates, where the file has any, take the place of all that the shop has of them."""

    model_config = ConfigDict(extra="forbid")

    products: Annotated[list[ProductEntry], Field(min_length=1)]
    shipping_zones: list[ZoneEntry] = []
    tax_rates: list[TaxRateEntry] = []

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        countries = [country for zone in self.shipping_zones for country in zone.countries]
        rates = [f"{rate.country} {rate.region} {rate.tax_class}".strip() for rate in self.tax_rates]
        for what, names in (("country", countries), ("tax rate", rates)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"the {what} {', '.join(twice)} stands there twice")
        return self


def read(path: Path) -> Catalogue:
    """The catalogue in a file; raises Unreadable with the place that is wrong."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal))
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Unreadable(f"{path}: {error}") from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise Unreadable(f"{path}: {places}") from error


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    command = commands.add_parser(
        "import-catalogue", help="products, variants, prices and stock from a file: TOML at once, CSV after a preview"
    )
    command.add_argument("file", type=Path)
    command.add_argument("--yes", action="store_true", help="write what the preview of a CSV file shows")
    command.add_argument(
        "--deactivate-missing", action="store_true", help="take off sale what is in the shop and not in the CSV file"
    )
    command.set_defaults(run=import_file)


async def import_file(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Imports the file and says what it brought; of a CSV file, first, what it would bring."""
    if arguments.file.suffix.lower() == ".csv":
        await csv_import.import_file(settings, arguments)
        return
    found = read(arguments.file)
    async with open_pool(settings.database_url.get_secret_value(), "checkout", settings.role_prefix, 2) as pool:
        products = [product.model_dump() for product in found.products]
        added = await catalogue.import_catalogue(pool, products, actor="ops import-catalogue")
        zones = [zone.model_dump() for zone in found.shipping_zones]
        rates = [rate.model_dump() for rate in found.tax_rates]
        await pricing.replace_terms(pool, zones, rates, actor="ops import-catalogue")
    variants = sum(len(product.variants) for product in found.products)
    print(f"{len(found.products)} products with {variants} variants; {added} of them new on the shelf")
    if zones or rates:
        print(f"{len(zones)} shipping zones and {len(rates)} tax rates, in place of those before")
