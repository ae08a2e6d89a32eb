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
        "fd00:ec2::254/128",  # Amazon
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "168.63.129.16/32",  # Azure
    )
)
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


def is_refused(address: str) -> bool:
    """Tell whether an address is never dialled; an IPv4 address inside an IPv6 one is looked at too."""
    outer = ip_address(address.partition("%")[0])
    return any(candidate in network for candidate in (outer, *_embedded(outer)) for network in _REFUSED)


def _embedded(address: Address) -> list[Address]:
    """Take out the IPv4 addresses that an IPv6 address stands for (RFC 4291, 6052, 3056, 4380)."""
    if isinstance(address, IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]
