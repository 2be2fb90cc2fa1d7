"""Which addresses a request may reach: public ones. Names are resolved here, once.

A search result, a list of URLs or a redirect may name a machine that only this computer can see:
a router, a database, a cloud's metadata service. What is checked here is what is connected to, so
it does not matter how the host is written (2130706433, 0x7f.1) nor what its name says next time.
"""

from __future__ import annotations

import os
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
NAT64 = IPv6Network("64:ff9b::/96")


class NotPublic(Exception):  # noqa: N818, an answer, not a fault
    """The host has an address that requests may not reach."""


def resolve(host: str, port: int) -> list[tuple]:
    """What `socket.getaddrinfo` says of a host. Raises NotPublic where one address is not.

    One is enough: an answer that mixes public and private ones is no mishap.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    for *_, place in found:
        if not permitted(place[0]):
            raise NotPublic(f"{host} is at {place[0]}, which is no public address")
    return found


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
