"""The audit trail: a row in the same transaction as the act it records, so that neither exists without the other.

Rows can be inserted and never changed: no role has the right, and a trigger refuses. Sealing (chaining and signing)
is done afterwards by a job, because chaining inside the transaction would make all orders wait for each other.
"""

import orjson

from shared import tracing
from shared.db import Connection
from shared.ids import uuid7


async def audit(  # noqa: PLR0913 (each is a column of its own, given by name)
    conn: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    reason: str | None = None,
    details: dict[str, object] | None = None,
) -> None:
    """Records that `actor` ("customer", "job expire_unpaid", a staff id) did `action` to `subject` ("order 018f…").

    No personal data, token or secret belongs in `details`.
    """
    await conn.execute(
        """
        INSERT INTO audit.log (id, service, actor, action, subject, reason, details, traceparent)
        VALUES ($1, current_schema(), $2, $3, $4, $5, $6, $7)
        """,
        uuid7(),
        actor,
        action,
        subject,
        reason,
        orjson.dumps(details or {}).decode(),
        tracing.current_traceparent(),
    )
