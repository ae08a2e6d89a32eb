"""Addresses that are never dialled on a user's behalf: cloud metadata services and link-local networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

REFUSED_NAMES = frozenset({"metadata.google.internal", "metadata"})
_REFUSED = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, with the metadata services of most clouds
        "fe80::/10",
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "168.63.129.16/32",  # Azure
    )
)
_LAST_32_BITS = tuple(
    ip_network(text)
    for text in (
        "::/96",  # IPv4-compatible (RFC 4291)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 of a local network (RFC 8215)
    )
)
_ISATAP = {0x00005EFE, 0x02005EFE}


def is_refused(address: str) -> bool:
    """Tell whether an address is never dialled; an IPv4 address inside an IPv6 one is looked at too."""
    outer = ip_address(address.partition("%")[0])
    return any(candidate in network for candidate in (outer, *_embedded(outer)) for network in _REFUSED)


def _embedded(address: Address) -> list[Address]:
    """Take out the IPv4 addresses that an IPv6 address stands for (RFC 3056, 4291, 4380, 5214, 6052)."""
    if isinstance(address, IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    is_isatap = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
    if is_isatap or any(address in network for network in _LAST_32_BITS):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]
