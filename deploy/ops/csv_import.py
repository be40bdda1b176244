"""`import-catalogue FILE.csv`: says what the file would change, and changes it with --yes."""

import argparse
import getpass
import sys
from collections.abc import Iterator

from deploy.ops.csv_file import read_rows
from deploy.ops.settings import OpsSettings
from services.checkout.actions import importing
from services.checkout.actions.importing import Preview, Wish
from services.checkout.domain import Difference, Row
from shared.db import open_pool


async def import_file(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Previews the file, or imports it. Raises Unreadable, or ImportRefused naming each bad line."""
    wish = Wish(f"ops {getpass.getuser()}", arguments.yes, arguments.deactivate_missing)
    async with open_pool(settings.database_url.get_secret_value(), "checkout", settings.role_prefix, 2) as pool:
        preview = await importing.import_rows(pool, _checked(arguments), wish, _report)
    _show(preview, wish)


def _checked(arguments: argparse.Namespace) -> Iterator[Row]:
    """The good rows; once all are read, the bad ones refuse the whole."""
    errors: list[tuple[int, str, str]] = []
    yield from read_rows(arguments.file, errors)
    if errors:
        raise importing.refused(errors)


def _report(rows: int) -> None:
    if sys.stderr.isatty() or rows % 20_000 == 0:
        print(f"\r{rows:,} rows" if sys.stderr.isatty() else f"{rows:,} rows", file=sys.stderr, flush=True)


def _show(preview: Preview, wish: Wish) -> None:
    print(f"{preview.rows:,} rows read")
    for kind, count in sorted(preview.counts.items()):
        print(f"  {kind}: {count:,}")
        for each in preview.examples[kind]:
            print(f"    {_described(each)}")
        if count > len(preview.examples[kind]):
            print("    …")
    if preview.missing:
        named = ", ".join(preview.missing[:5]) + (" …" if len(preview.missing) > 5 else "")
        fate = "taken off sale" if wish.deactivates_missing else "left as they are; --deactivate-missing takes them off"
        print(f"  on sale and not in the file: {len(preview.missing):,} ({fate}): {named}")
    if not preview.counts and not (wish.deactivates_missing and preview.missing):
        print("Nothing to do: the shop is as the file says.")
    elif wish.is_meant:
        print("Written.")
    else:
        print("Nothing was written. Run it again with --yes to do all of it.")


def _described(each: Difference) -> str:
    if each.what == "new":
        return f"{each.subject}: {each.after}"
    words = f"{each.subject}: {each.what} {_value(each.before)} → {_value(each.after)}"
    if isinstance(each.before, int) and isinstance(each.after, int) and not isinstance(each.after, bool):
        words += f" ({each.after - each.before:+})"
    return words


def _value(value: object) -> str:
    return (
        {None: "none", True: "yes", False: "no"}.get(value, str(value)) if value in (None, True, False) else str(value)
    )
