"""Whose request it is, whatever the client writes into its headers."""

from ipaddress import ip_network

import pytest

from shared.web import client_address, is_in

PEER = "10.0.0.9"


@pytest.mark.parametrize(
    ("hops", "forwarded", "expected"),
    [
        # nobody in front of us: the header is the client's word, and means nothing
        (0, [], PEER),
        (0, ["203.0.113.7"], PEER),
        (0, ["127.0.0.1"], PEER),
        # one proxy: the last entry is what it saw
        (1, ["203.0.113.7"], "203.0.113.7"),
        (1, ["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        (1, ["127.0.0.1", "203.0.113.7"], "203.0.113.7"),
        (1, ["nonsense, ,,; , 203.0.113.7"], "203.0.113.7"),
        (1, [" 203.0.113.7 "], "203.0.113.7"),
        (1, ["2001:DB8:0::1"], "2001:db8::1"),
        (1, ["::ffff:203.0.113.7"], "203.0.113.7"),
        # two proxies: the second from the right
        (2, ["203.0.113.7, 10.0.0.8"], "203.0.113.7"),
        (2, ["127.0.0.1, 203.0.113.7, 10.0.0.8"], "203.0.113.7"),
        (2, ["127.0.0.1, 203.0.113.7", "10.0.0.8"], "203.0.113.7"),
        # came past a proxy, or the proxy wrote nonsense: the peer
        (1, [], PEER),
        (2, ["203.0.113.7"], PEER),
        (2, ["203.0.113.7, nonsense"], PEER),
        (1, [""], PEER),
        (1, ["203.0.113.7,"], PEER),
        (1, ["203.0.113.7:443"], PEER),
        (1, ["203.0.113.999"], PEER),
        (1, ["localhost"], PEER),
        (1, ["fe80::1%<script>"], PEER),
        (1, ["0x7f.1"], PEER),
        (1, ["unknown"], PEER),
    ],
)
def test_the_client_is_who_the_trusted_proxies_saw(hops: int, forwarded: list[str], expected: str) -> None:
    assert client_address(PEER, forwarded, hops) == expected


@pytest.mark.parametrize("peer", [None, "", "nonsense"])
def test_a_peer_without_address_is_in_no_network(peer: str | None) -> None:
    address = client_address(peer, [], 0)
    assert not is_in(address, [ip_network("0.0.0.0/0"), ip_network("::/0")])


def test_an_ipv4_peer_on_an_ipv6_socket_is_its_ipv4_address() -> None:
    assert client_address("::ffff:127.0.0.1", [], 0) == "127.0.0.1"


def test_networks_of_both_kinds_are_told_apart() -> None:
    networks = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    assert is_in("127.1.2.3", networks)
    assert is_in("::1", networks)
    assert not is_in("10.0.0.1", networks)
