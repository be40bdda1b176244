"""Who does it, and why: for the audit trail."""

import argparse
import getpass
import os


def add_to(command: argparse.ArgumentParser, *, is_reason_required: bool = False) -> None:
    """`--actor` and `--reason`."""
    command.add_argument("--actor", default=f"ops {login()}"[:200], help="who does it, for the audit trail")
    command.add_argument("--reason", required=is_reason_required, help="why, for the audit trail")


def login() -> str:
    """The name of whoever types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return str(os.getuid())
