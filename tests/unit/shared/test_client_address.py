"""Whose request it is, whatever the client writes into its headers."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.settings import ServiceSettings, Trust
from shared.web import client_address, is_in
from shared.web.address import UNKNOWN, household, peer_address

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
    assert client_address(PEER, forwarded, Trust(hops)) == expected


@pytest.mark.parametrize("peer", [None, "", "nonsense"])
def test_a_peer_without_address_is_in_no_network(peer: str | None) -> None:
    address = client_address(peer, [], Trust())
    assert not is_in(address, [ip_network("0.0.0.0/0"), ip_network("::/0")])


def test_an_ipv4_peer_on_an_ipv6_socket_is_its_ipv4_address() -> None:
    assert client_address("::ffff:127.0.0.1", [], Trust()) == "127.0.0.1"


def test_networks_of_both_kinds_are_told_apart() -> None:
    networks = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    assert is_in("127.1.2.3", networks)
    assert is_in("::1", networks)
    assert not is_in("10.0.0.1", networks)


OURS = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "lines", "expected"),
    [
        # a peer that isn't ours speaks for itself alone
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("203.0.113.7", ["10.0.0.1"], "203.0.113.7"),
        # one of ours: whoever it saw, through as many of ours as there are
        (PEER, ["203.0.113.7"], "203.0.113.7"),
        (PEER, ["203.0.113.7, 10.0.0.8"], "203.0.113.7"),
        (PEER, ["203.0.113.7, 10.0.0.7, fd00::1", "10.0.0.8"], "203.0.113.7"),
        (PEER, ["127.0.0.1, 198.51.100.1, 203.0.113.7, 10.0.0.8"], "203.0.113.7"),
        (PEER, ["10.0.0.1, 203.0.113.7"], "203.0.113.7"),
        # one of ours asks for itself
        (PEER, [], PEER),
        (PEER, ["10.0.0.8"], "10.0.0.8"),
        # what one of ours can't name isn't one of ours
        (PEER, [""], UNKNOWN),
        (PEER, ["203.0.113.7,"], UNKNOWN),
        (PEER, ["203.0.113.7, unknown"], UNKNOWN),
        (PEER, ["203.0.113.7, nonsense, 10.0.0.8"], UNKNOWN),
    ],
)
def test_with_networks_the_client_is_the_first_from_the_right_that_is_not_ours(
    peer: str, lines: list[str], expected: str
) -> None:
    assert client_address(peer, lines, Trust(networks=OURS)) == expected


FORWARDED = [
    (["for=203.0.113.7"], "203.0.113.7"),
    (["For=203.0.113.7;proto=https;by=203.0.113.43"], "203.0.113.7"),
    (["proto=http ; FOR = 203.0.113.7"], None),  # no blanks around `=`
    (["by=10.0.0.1; for=203.0.113.7 ; host=shop.example"], "203.0.113.7"),
    (['for="203.0.113.7:4711"'], "203.0.113.7"),
    (["for=203.0.113.7:4711"], "203.0.113.7"),
    (['for="203.0.113.7:_port"'], "203.0.113.7"),
    (['for="[2001:DB8::7]:4711"'], "2001:db8::7"),
    (['for="[2001:db8::7]"'], "2001:db8::7"),
    (["for=[2001:db8::7]"], "2001:db8::7"),
    (['for="\\2\\0\\3.0.113.7"'], "203.0.113.7"),  # a quoted pair stands for what it quotes
    (['for="[::ffff:203.0.113.7]"'], "203.0.113.7"),
    # hidden, or no address
    (["for=unknown"], None),
    (["for=_hidden"], None),
    (['for="_SEVKISEK"'], None),
    (['for="2001:db8::7"'], None),
    (["for="], None),
    (['for=""'], None),
    (["for=203.0.113.999"], None),
    (["for=203.0.113.7;for=198.51.100.1"], None),
    (["proto=https"], None),
    (["203.0.113.7"], None),
    ([""], None),
    (["for=203.0.113.7,"], None),
    (["for=203.0.113.7;"], None),
    # what a client began changes nothing
    (["for=127.0.0.1, for=203.0.113.7"], "203.0.113.7"),
    (["for=127.0.0.1", "for=203.0.113.7"], "203.0.113.7"),
    (['for="127.0.0.1, for=203.0.113.7'], "203.0.113.7"),
    (['for="127.0.0.1\\", for="[2001:db8::7]"'], "2001:db8::7"),
    (['",;=\\', 'for=203.0.113.7;host="a\\", for=127.0.0.1"'], "203.0.113.7"),
    (['for=127.0.0.1;host="x, for=203.0.113.7'], "203.0.113.7"),
]


@pytest.mark.parametrize(("lines", "expected"), FORWARDED)
def test_the_forwarded_header_is_read_by_its_grammar_and_from_the_right(lines: list[str], expected: str | None) -> None:
    by_number = client_address(PEER, lines, Trust(1, header="Forwarded"))
    by_place = client_address(PEER, lines, Trust(networks=OURS, header="Forwarded"))
    assert by_number == (expected or PEER)
    assert by_place == (expected or UNKNOWN)


def test_two_forwarded_elements_are_two_proxies() -> None:
    lines = ['for=198.51.100.1, for="[2001:db8::7]:1";by=10.0.0.8', "for=10.0.0.8;by=10.0.0.9"]
    assert client_address(PEER, lines, Trust(2, header="Forwarded")) == "2001:db8::7"
    assert client_address(PEER, lines, Trust(networks=OURS, header="Forwarded")) == "2001:db8::7"


ADDRESSES = st.ip_addresses().map(str).filter(lambda text: "." in text or IPv6Address(text).ipv4_mapped is None)
# What a client may put there: HTTP forbids only line breaks and NUL; what looks like the real thing is likelier.
PIECES = st.sampled_from([*'",;= \\[]:', "for=", "127.0.0.1", "10.0.0.1", "unknown", 'for="', "[::1]", "\\\\"])
GARBAGE = st.lists(PIECES | st.text(st.characters(blacklist_characters="\r\n\0"), max_size=8), max_size=30).map("".join)
LINES = st.lists(GARBAGE, max_size=3)


def node(address: str) -> str:
    return f'for="[{address}]:443"' if ":" in address else f"for={address}"


def appended(lines: list[str], entry: str, on_a_line_of_its_own: bool) -> list[str]:
    """As a proxy does it: behind what is there, or as another line."""
    if on_a_line_of_its_own or not lines:
        return [*lines, entry]
    return [*lines[:-1], f"{lines[-1]}, {entry}"]


@given(garbage=LINES, client=ADDRESSES, alone=st.booleans(), between=st.booleans())
@example(garbage=['for="'], client="203.0.113.7", alone=False, between=True)
def test_what_stands_left_of_our_own_entries_changes_nothing(
    garbage: list[str], client: str, alone: bool, between: bool
) -> None:
    if is_in(client, OURS):
        return
    expected = str(IPv6Address(client)) if ":" in client else client
    for header, written in (("X-Forwarded-For", str), ("Forwarded", node)):
        lines = appended(appended(garbage, written(client), alone), written("10.0.0.8"), between)
        assert client_address(PEER, lines, Trust(2, header=header)) == expected
        assert client_address(PEER, lines, Trust(networks=OURS, header=header)) == expected


@given(garbage=LINES)
def test_garbage_never_makes_anybody_an_insider_who_comes_from_outside(garbage: list[str]) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        assert client_address("203.0.113.7", garbage, Trust(networks=OURS, header=header)) == "203.0.113.7"
        assert client_address("203.0.113.7", garbage, Trust(header=header)) == "203.0.113.7"


@given(garbage=LINES)
def test_whatever_is_read_is_an_address_or_none(garbage: list[str]) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        for trust in (Trust(3, header=header), Trust(networks=OURS, header=header)):
            address = client_address(PEER, garbage, trust)
            assert address == UNKNOWN or re.fullmatch(r"[0-9a-f:.]+", address)


def test_a_long_header_takes_no_more_time_than_its_length_asks_for() -> None:
    """Eight thousand letters before something that is no element: a square of that would be seconds."""
    for line in ("a" * 8000 + "/=b", '="' * 4000, "a=b;" * 2000, "\\" * 8000 + '"', ("for=10.0.0.1," * 600)[:-1]):
        client_address(PEER, [line], Trust(networks=OURS, header="Forwarded"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [("203.0.113.7", "203.0.113.7"), ("2001:db8::1:2", "2001:db8::/64"), (UNKNOWN, UNKNOWN)],
)
def test_a_whole_64_of_ipv6_is_one_household(address: str, expected: str) -> None:
    assert household(address) == expected


def test_what_is_not_http_comes_from_the_peer_unless_that_is_a_proxy() -> None:
    assert peer_address("203.0.113.7", Trust()) == "203.0.113.7"
    assert peer_address("203.0.113.7", Trust(networks=OURS)) == "203.0.113.7"
    assert peer_address(PEER, Trust(networks=OURS)) == UNKNOWN
    assert peer_address(PEER, Trust(1)) == UNKNOWN
    assert peer_address(None, Trust()) == UNKNOWN


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"trusted_hops": 1, "trusted_networks": "10.0.0.0/8"}, "not both"),
        ({"trusted_networks": "10.0.0.0/8, 0.0.0.0/0"}, "everybody"),
        ({"trusted_networks": "::/0"}, "everybody"),
        ({"trusted_networks": "10.0.0.1/8"}, "not a valid IPv4 network"),
        ({"forwarded_header": "Forwarded"}, "trusted_hops or trusted_networks"),
        ({"forwarded_header": "X-Real-IP", "trusted_hops": 1}, "forwarded_header"),
        ({"trusted_hops": 11}, "less than or equal to 10"),
    ],
)
def test_settings_that_can_not_be_right_together_stop_the_start(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ServiceSettings(database_url="postgresql://unused", amqp_url="amqp://unused", **settings)


def test_trust_is_what_the_settings_say() -> None:
    given_ = {"database_url": "postgresql://unused", "amqp_url": "amqp://unused"}
    assert ServiceSettings(**given_).trust == Trust()
    settings = ServiceSettings(**given_, trusted_networks="10.0.0.0/8, fd00::/8", forwarded_header="Forwarded")
    assert settings.trust == Trust(0, OURS, "Forwarded")
    assert IPv4Address("10.1.2.3") in settings.trust.networks[0]
