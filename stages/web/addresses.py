"""Which addresses a request may reach: public ones. Names are resolved here, once.

A search result, a list of URLs or a redirect may name a machine that only this computer can see:
a router, a database, a cloud's metadata service. What is checked here is what is connected to, so
it does not matter how the host is written (2130706433, 0x7f.1) nor what its name says next time.
"""

from __future__ import annotations

import os
import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# For tests, whose server is on loopback: the environment's alone to say, so that a params.yaml
# from elsewhere cannot.
SWITCH = "VITOON_LOOPBACK"

# Not global, though Python (some versions of it) says so.
CLOSED = (
    IPv4Network("168.63.129.16/32"),  # Azure's own services, seen from its machines
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("240.0.0.0/4"),
)
GLOBAL = IPv6Network("2000::/3")
CLOSED_6 = (
    IPv6Network("2001::/23"),  # protocol assignments; Teredo is looked into before
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)
# A name with a domain; the last part of an address has a digit first (2130706433, 0x7f.1).
PUBLIC_NAME = re.compile(r"(?:[\w-]{1,63}\.)+([a-z][\w-]{0,62})\.?", re.ASCII | re.IGNORECASE)
# Top-level domains that the internet does not have: RFC 6761, 6762 (appendix G) and 8375, ICANN on
# .internal.
PRIVATE_DOMAINS = {
    *("arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain"),
    *("localhost", "onion", "private", "test"),
}
NAT64 = IPv6Network("64:ff9b::/96")


class NotPublic(Exception):  # noqa: N818, an answer, not a fault
    """The host has an address that requests may not reach."""


def resolve(host: str, port: int, *, public: bool = True) -> list[tuple]:
    """What `socket.getaddrinfo` says of a host. Raises NotPublic where one address is not.

    One is enough: an answer that mixes public and private ones is no mishap. With `public` false
    any address will do.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if public and not permitted(place[0]):
            raise NotPublic(f"{host} is at {place[0]}, which is no public address")
    return found


def check_for_proxy(host: str, port: int) -> None:
    """Raises NotPublic for a host that a proxy is not to be asked for.

    The proxy looks a name up itself, so this is what can be known here: an address, in whatever
    spelling, and a name that is known here, have to be public. Behind a firewall names of the
    internet are often not known here; what could be one of them is left to the proxy.
    """
    try:
        resolve(host, port)
    except (socket.gaierror, UnicodeError):
        last = PUBLIC_NAME.fullmatch(host)
        if last is None or last[1].lower() in PRIVATE_DOMAINS:
            raise NotPublic(f"{host} is no name of the internet") from None


def permitted(address: str) -> bool:
    """Whether an address is public, or loopback where the environment's switch is set."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return os.environ.get(SWITCH) == "allow"
    return is_public(ip)


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Whether it is a unicast address of the internet, and all IPv4 ones written in it too."""
    if isinstance(ip, IPv4Address):
        closed = ip.is_multicast or ip.is_reserved or any(ip in net for net in CLOSED)
        return ip.is_global and not closed
    if ip in NAT64:
        return is_public(IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip.teredo:
        return all(map(is_public, ip.teredo))
    if ip.sixtofour:
        return is_public(ip.sixtofour)
    return ip in GLOBAL and ip.is_global and not any(ip in net for net in CLOSED_6)
