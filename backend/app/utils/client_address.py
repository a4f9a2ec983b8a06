"""Whose request it is, when nobody logged in: the network that a limit is counted for.

Knows how proxies write `X-Forwarded-For` (each appends the address that it was called from, so only what our own
proxies wrote can be believed: the last entries) and how one client's address can be spelled. Whatever a client
writes itself must never choose the key: what is no address there counts as the peer of the connection.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NO_PEER = "local"
"""The network of a connection that has no address: a Unix socket."""

_FORWARDED = frozenset(
    {"forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip"}
)
_OWN_NAMES = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_IPV6_PREFIX = 64  # what a provider gives one customer; the 2**64 addresses in it are free to choose
_WITH_PORT = re.compile(r"\[(?P<bracketed>[^\[\]]*)\](?::[0-9]{1,5})?|(?P<plain>[^:]*):[0-9]{1,5}")
_MAX_CHARACTERS = 64  # the longest spelling has 39, a zone and a port added


def client_network(peer: str | None, forwarded_for: Sequence[str], trusted_hops: int) -> str:
    """The client's IPv4 address or IPv6 /64 in its one canonical spelling.

    `peer` is the other end of the connection, `forwarded_for` every X-Forwarded-For header in the order received,
    `trusted_hops` how many proxies of ours stand in front: with n, the client is the n-th entry from the right.
    Where that entry is missing or no address, the request did not come through all of them: the peer counts.
    """
    found = _entry_from_right(forwarded_for, trusted_hops) if trusted_hops else None
    return _network(found or "") or _network(peer or "") or NO_PEER


def is_this_machine(peer: str | None, host: str, header_names: Iterable[str]) -> bool:
    """Whether a request was made on this machine. Behind a proxy here every peer is, so what any proxy passed on is
    not; `host` must be a name of this machine as well, which no page of another site can make a browser send."""
    passed_on = any(name.lower().startswith("x-forwarded") or name.lower() in _FORWARDED for name in header_names)
    is_local = peer == "::1" or (_network(peer or "") or "").startswith("127.")
    return is_local and not passed_on and bool(_OWN_NAMES.fullmatch(host))


def _entry_from_right(headers: Sequence[str], number: int) -> str | None:
    entries = ",".join(headers).rsplit(",", number)  # splits no more than it needs, however long the header is
    return entries[-number] if len(entries) >= number else None


def _network(text: str) -> str | None:
    """None for anything that is not one address, with or without port and brackets."""
    text = text.strip(" \t")
    if len(text) > _MAX_CHARACTERS:
        return None
    if match := _WITH_PORT.fullmatch(text):
        text = match["plain"] or match["bracketed"] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or _site(address))


def _site(address: IPv6Address) -> IPv6Network:
    return IPv6Network((int(address), _IPV6_PREFIX), strict=False)  # the number: without the zone of `fe80::1%eth0`
