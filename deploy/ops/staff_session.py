"""`staff-session`: lets somebody of the staff in, by a code that is shown once and good for one session."""

import argparse
from datetime import timedelta

from deploy.ops.settings import OpsSettings
from shared import staff
from shared.audit import audit
from shared.db import open_pool
from shared.errors import Invalid
from shared.staff import CODE_LASTS, Right

MOST_HOURS = 12


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its arguments."""
    parser = commands.add_parser("staff-session", help="a code with which somebody of the staff signs in")
    parser.add_argument("--name", required=True, help="who it is for; an account of that name is made if need be")
    parser.add_argument("--hours", type=float, default=8, help="how long the session lasts at most (default: 8)")
    parser.add_argument(
        "--may",
        choices=[right.value for right in Right],
        action="append",
        help="what the account may do from now on, once for each right (a new account: events.read)",
    )
    parser.set_defaults(run=run)


async def run(settings: OpsSettings, arguments: argparse.Namespace) -> None:
    """Makes the code and prints it."""
    name, lasts = arguments.name.strip(), timedelta(hours=arguments.hours)
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Invalid("the name has to have 1 to 100 characters")
    if not timedelta(minutes=1) <= lasts <= timedelta(hours=MOST_HOURS):
        raise Invalid(f"a session lasts at most {MOST_HOURS} hours, and a minute at least")
    url = settings.database_url.get_secret_value()
    async with open_pool(url, "checkout", settings.role_prefix, 2) as pool, pool.worker() as conn:
        code, account_id = await staff.invite(conn, name, arguments.may, lasts)
        details: dict[str, object] = {"hours": arguments.hours, "rights": arguments.may}
        subject = f"staff {account_id}"
        await audit(conn, actor="ops staff-session", action="make sign-in code", subject=subject, details=details)
    print(code)
    print(f"For {name}: paste it at /staff/enter of the service, within {CODE_LASTS.seconds // 60} minutes. It is good")
    print(f"once, for a session of at most {arguments.hours:g} hours that also ends after 15 idle minutes.")
