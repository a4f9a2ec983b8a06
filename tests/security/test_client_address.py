"""Whose request it is: no header that a client writes itself may choose, or multiply, what it is counted as."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.utils.client_address import NO_PEER, client_network

PEER = "10.0.0.9"  # of the connection: the client itself with 0 hops, else our nearest proxy
FIRST_PROXY = "10.0.0.1"  # with 2 hops: what the nearest proxy appended
SITE = "2001:db8:1:2::/64"

SPELLINGS = [  # what one entry says -> the network it means; None: it is no address
    ("203.0.113.7", "203.0.113.7"),
    (" 203.0.113.7\t", "203.0.113.7"),
    ("203.0.113.7:49152", "203.0.113.7"),
    ("[203.0.113.7]:80", "203.0.113.7"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("::FFFF:cb00:7107", "203.0.113.7"),
    ("0:0:0:0:0:ffff:cb00:7107", "203.0.113.7"),
    ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
    ("2001:db8:1:2::1", SITE),
    ("2001:db8:1:2:ffff:ffff:ffff:ffff", SITE),
    ("2001:0DB8:0001:0002:0:0:0:1", SITE),
    ("2001:DB8:1:2::1", SITE),
    ("[2001:db8:1:2::1]", SITE),
    ("[2001:db8:1:2::1]:443", SITE),
    ("2001:db8:1:2::1%eth0", SITE),
    ("2001:db8:1:2::1%25eth1", SITE),
    ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ("::1", "::/64"),
    ("", None),
    ("-", None),
    ("unknown", None),
    ("_hidden", None),
    ("localhost", None),
    ("client-1", None),
    ("203.0.113", None),
    ("203.0.113.256", None),
    ("203.0.113.07", None),
    ("0xcb.0.113.7", None),
    ("3405803783", None),
    ("203.0.113.7/24", None),
    ("203.0.113.7;203.0.113.8", None),
    ("203.0.113.7 203.0.113.8", None),
    ("203.0.113.7:", None),
    ("203.0.113.7:http", None),
    ("203.0.113.7:123456", None),
    ("203.0.113.7:\u0661", None),
    ("\u0662\u0660\u0663.0.113.7", None),
    ("203\u30020.113.7", None),
    ("203.0.113.7\x00", None),
    ("203.0.113.7\r\n", None),
    ('"203.0.113.7"', None),
    ("for=203.0.113.7", None),
    ("2001:db8::1::2", None),
    ("2001:db8:1:2::/64", None),
    ("2001:db8:1:2::1]", None),
    ("[2001:db8:1:2::1", None),
    ("[[2001:db8:1:2::1]]", None),
    ("[]:80", None),
    (":80", None),
    ("1:2:3:4:5:6:7:8:9", None),
    ("fe80::1%", None),
    ("2001:db8::1%" + "x" * 100, None),
    ("9" * 100_000, None),
    ("\ud800", None),
    ("' OR 1=1 --", None),
]


@pytest.mark.parametrize(("entry", "network"), SPELLINGS, ids=lambda value: ascii(value)[:40])
def test_an_entry_that_our_proxy_wrote_is_one_client_however_it_is_spelled(entry: str, network: str | None) -> None:
    assert client_network(PEER, [entry], 1) == (network or PEER)
    assert client_network(PEER, [f"6.6.6.6, {entry}"], 1) == (network or PEER)
    assert client_network(PEER, [f"6.6.6.6, {entry}, {FIRST_PROXY}"], 2) == (network or PEER)
    assert client_network(PEER, ["6.6.6.6", entry, FIRST_PROXY], 2) == (network or PEER)


@pytest.mark.parametrize(("entry", "network"), SPELLINGS, ids=lambda value: ascii(value)[:40])
def test_the_peer_itself_is_read_in_the_same_way(entry: str, network: str | None) -> None:
    assert client_network(entry, [], 0) == (network or NO_PEER)


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize(
    "spoofed",
    [
        "6.6.6.6",
        "6.6.6.6, 7.7.7.7",
        "7.7.7.7, 6.6.6.6, 5.5.5.5",
        "unknown",
        "",
        ",",
        ",,,,",
        "6.6.6.6,",
        "2001:db8:dead::1",
        "[2001:db8:dead::1]:1",
        PEER,
        "127.0.0.1",
        "6.6.6.6" + ", 6.6.6.6" * 10_000,
        ",".join(f"6.6.{n // 256}.{n % 256}" for n in range(10_000)),
        "x" * 60_000,
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_the_client_sent_itself_never_counts(spoofed: str, hops: int) -> None:
    """Each trusted proxy appends whom it was called by, in the same header or in one more of its own."""
    client = "203.0.113.7"
    appended = {0: [], 1: [client], 2: [client, FIRST_PROXY]}[hops]
    peer = PEER if hops else client
    joined = [", ".join([spoofed, *appended])]
    assert client_network(peer, joined, hops) == client
    assert client_network(peer, [spoofed, *appended], hops) == client
    assert client_network(peer, [spoofed, spoofed, ",".join(appended)] if hops else [spoofed], hops) == client


@pytest.mark.parametrize("headers", [[], [""], ["6.6.6.6"]], ids=str)
def test_a_request_that_came_past_a_proxy_counts_as_its_peer(headers: list[str]) -> None:
    assert client_network(PEER, headers, 2) == PEER


def test_a_connection_without_an_address_has_one_name() -> None:
    assert client_network(None, [], 0) == client_network(None, ["6.6.6.6"], 0) == NO_PEER


@given(headers=st.lists(st.text(), max_size=5), hops=st.integers(0, 10), peer=st.one_of(st.none(), st.text()))
def test_whatever_is_sent_the_key_is_an_address_or_the_one_name(
    headers: list[str], hops: int, peer: str | None
) -> None:
    network = client_network(peer, headers, hops)
    assert network == NO_PEER or re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f:]+/64", network)
