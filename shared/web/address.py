"""Whose request it is: its id, and the address of the client behind the proxies we trust.

The header that proxies speak in is begun by whoever likes to, so only what our own proxies appended means anything.
Which entries those are is a setting, one of two: their number (`trusted_hops`: the entry so far from the right is the
client's), or their addresses (`trusted_networks`: from the right, as long as who speaks is one of ours). Whatever
stands left of it was sent by the client and changes nothing.
"""

import functools
import ipaddress
import itertools
import warnings
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network

from aiohttp import web
from aiohttp.typedefs import Handler

from shared import logs
from shared.ids import uuid7
from shared.settings import ServiceSettings, Trust
from shared.web.forwarded import READERS, Entry, canonical
from shared.web.keys import CLIENT_ADDRESS, REQUEST_ID, SETTINGS

UNKNOWN = "unknown"  # a client without an address; in no network, so never internal


class _PlainNames:
    are_known = False


def client_address(peer: str | None, lines: Sequence[str], trust: Trust) -> str:
    """The client's address in its canonical form, by the lines of the header that is trusted.

    With `hops`, anything malformed or missing on our side: the peer's. With `networks`, a client that one of our
    proxies hides or can't name is UNKNOWN: it isn't the proxy.
    """
    nearest = canonical(peer or "") or UNKNOWN
    entries = READERS[trust.header]
    if trust.networks:
        return _first_stranger(nearest, entries(lines), trust.networks)
    return _so_far_out(nearest, entries(lines), trust.hops) if trust.hops else nearest


def peer_address(peer: str | None, trust: Trust) -> str:
    """Who sent what isn't HTTP, and so names nobody: the peer, unless that is a proxy of ours."""
    nearest = canonical(peer or "") or UNKNOWN
    return UNKNOWN if trust.hops or is_in(nearest, trust.networks) else nearest


def is_in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    if not networks:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


@functools.lru_cache(maxsize=4096)
def household(address: str) -> str:
    """Whom an address stands for where addresses are counted: a whole /64 of IPv6 belongs to one."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, 64), strict=False))


def _so_far_out(nearest: str, entries: Iterator[Entry], hops: int) -> str:
    ours = list(itertools.islice(entries, hops))
    if len(ours) < hops or None in ours:
        return nearest
    return ours[-1] or nearest


def _first_stranger(nearest: str, entries: Iterator[Entry], ours: Sequence[IPv4Network | IPv6Network]) -> str:
    speaker = nearest
    while is_in(speaker, ours):
        try:
            named = next(entries)
        except StopIteration:
            return speaker  # one of our own asks for itself
        if named is None:
            return UNKNOWN
        speaker = named
    return speaker


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id of ours (a client's own could be made to collide) and its client's address."""
    request_id = str(uuid7())
    address = _address_of(request, request.app[SETTINGS])
    _remember(request, request_id, address)
    tokens = logs.REQUEST_ID.set(request_id), logs.CLIENT_ADDRESS.set(address)
    try:
        return await handler(request)
    finally:
        logs.REQUEST_ID.reset(tokens[0])
        logs.CLIENT_ADDRESS.reset(tokens[1])


def _address_of(request: web.Request, settings: ServiceSettings) -> str:
    trust = settings.trust
    return client_address(request.remote, request.headers.getall(trust.header, ()), trust)


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
