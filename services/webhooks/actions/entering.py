"""How a session of staff begins and ends here, each with its row in the audit trail."""

from shared import staff
from shared.audit import audit
from shared.db import Pool
from shared.staff import Staff


async def enter(pool: Pool, code: str, client_address: str) -> str | None:
    """The token of a new session; None for a code that does not count, which is recorded as well."""
    where: dict[str, object] = {"client_address": client_address}
    async with pool.request() as conn:
        entered = await staff.enter(conn, code)
        if entered is None:
            await audit(conn, actor="unknown", action="sign-in refused", subject="staff session", details=where)
            return None
        token, account_id = entered
        await audit(conn, actor=f"staff {account_id}", action="sign in", subject="staff session", details=where)
    return token


async def leave(pool: Pool, who: Staff) -> None:
    async with pool.request() as conn:
        await staff.leave(conn, who.session_id)
        await audit(conn, actor=who.actor, action="sign out", subject=f"staff session {who.session_id}")
