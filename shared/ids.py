"""New identifiers: UUIDv7, so that rows made together lie together in an index."""

from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> UUID:
    """A new time-ordered id (RFC 9562). Domain code takes ids as arguments instead of calling this."""
    return _uuid7()
