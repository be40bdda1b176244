"""Whose request it is: its id, and the address of the client behind the proxies we trust.

`X-Forwarded-For` is begun by whoever likes to; each proxy appends the address it saw. So only the entries that
our own proxies appended mean anything: with `trusted_hops` of them, the entry so far from the right. Whatever
stands left of it was sent by the client and changes nothing.
"""

import functools
import ipaddress
import warnings
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from aiohttp import web
from aiohttp.typedefs import Handler

from shared import logs
from shared.ids import uuid7
from shared.web.keys import CLIENT_ADDRESS, REQUEST_ID, SETTINGS

UNKNOWN = "unknown"  # a peer without an address; in no network, so never internal


class _PlainNames:
    are_known = False


def client_address(peer: str | None, forwarded: Sequence[str], trusted_hops: int) -> str:
    """The client's address in its canonical form. Anything malformed or missing on our side: the peer's."""
    nearest = _canonical(peer or "") or UNKNOWN
    if trusted_hops == 0:
        return nearest
    entries = [entry.strip() for header in forwarded for entry in header.split(",")]
    ours = [_canonical(entry) for entry in entries[-trusted_hops:]]
    if len(ours) < trusted_hops:
        return nearest
    first, *rest = ours
    return first if first is not None and None not in rest else nearest


def is_in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@functools.lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    if "%" in text:  # a zone, in which anything may stand
        return None
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id of ours (a client's own could be made to collide) and its client's address."""
    request_id = str(uuid7())
    address = client_address(
        request.remote,
        request.headers.getall("X-Forwarded-For", ()),
        request.app[SETTINGS].trusted_hops,
    )
    _remember(request, request_id, address)
    token = logs.REQUEST_ID.set(request_id)
    try:
        return await handler(request)
    finally:
        logs.REQUEST_ID.reset(token)


def _remember(request: web.Request, request_id: str, address: str) -> None:
    request[REQUEST_ID] = request_id
    request[CLIENT_ADDRESS] = address
    # Under plain names too, which read better in handlers. aiohttp warns at the first use of each such name.
    if _PlainNames.are_known:
        request["request_id"], request["client_address"] = request_id, address
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", web.NotAppKeyWarning)
        request["request_id"], request["client_address"] = request_id, address
    _PlainNames.are_known = True
