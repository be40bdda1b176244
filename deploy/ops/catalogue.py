"""`import-catalogue`: fills the shop from a TOML file such as deploy/demo/catalogue.toml, or from CSV."""

import argparse
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.ops import csv_import
from deploy.ops.settings import OpsSettings
from deploy.ops.unreadable import Unreadable
from services.checkout.actions import catalogue
from shared.db import open_pool


class VariantEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,40}$")]
    size: Annotated[str, Field(min_length=1)]
    colour: Annotated[str, Field(min_length=1)]
    on_hand: Annotated[int, Field(ge=0)]
    low_at: Annotated[int, Field(ge=0)] = 0


class ProductEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    name: Annotated[str, Field(min_length=1)]
    category: Annotated[str, Field(min_length=1)]
    description: str = ""
    prices: Annotated[dict[str, Annotated[int, Field(gt=0)]], Field(min_length=1)]
    variants: Annotated[list[VariantEntry], Field(min_length=1)]


class Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    products: Annotated[list[ProductEntry], Field(min_length=1)]


def read(path: Path) -> Catalogue:
    """The catalogue in a file; raises Unreadable with the place that is wrong."""
    try:
        return Catalogue.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
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
    variants = sum(len(product.variants) for product in found.products)
    print(f"{len(found.products)} products with {variants} variants; {added} of them new on the shelf")
