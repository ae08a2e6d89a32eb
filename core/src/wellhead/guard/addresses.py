"""What addresses are: metadata services, special ones, public ones, and the IPv4 ones that stand inside IPv6 ones.

The tables follow the registries of IANA: "IPv4 Special-Purpose Address Registry", "IPv6 Special-Purpose Address
Registry" (RFC 6890, RFC 8190) and "Internet Protocol Version 6 Address Space". They are our own, because what
`ipaddress` says of an address differs between versions of Python, and is wrong for embedded ones.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA_NAMES = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",  # Amazon
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "rancher-metadata",
    }
)
"""Names of the metadata services of clouds."""


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_METADATA = _networks(
    "169.254.0.0/16",  # link-local (RFC 3927), with the metadata services of most clouds
    "fe80::/10",  # link-local (RFC 4291)
    "fd00:ec2::/32",  # Amazon
    "fd20:ce::254/128",  # Google
    "fd00:42::42/128",  # Scaleway
    "fd00:a9fe:a9fe::1/128",  # Akamai
    "fd00:c1::a9fe:a9fe/128",  # Oracle
    "fd00:100::100:200/128",  # Alibaba
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle
    "168.63.129.16/32",  # Azure, though its range is public
)
_SPECIAL = _networks(
    "0.0.0.0/8",  # this network (RFC 791)
    "10.0.0.0/8",  # private (RFC 1918)
    "100.64.0.0/10",  # shared by the customers of a provider (RFC 6598)
    "127.0.0.0/8",  # loopback (RFC 1122)
    "172.16.0.0/12",  # private (RFC 1918)
    "192.0.0.0/24",  # protocol assignments (RFC 6890)
    "192.0.2.0/24",  # documentation (RFC 5737)
    "192.88.99.0/24",  # relays of 6to4 and 6a44 (RFC 7526, RFC 6751)
    "192.168.0.0/16",  # private (RFC 1918)
    "198.18.0.0/15",  # benchmarks (RFC 2544)
    "198.51.100.0/24",  # documentation (RFC 5737)
    "203.0.113.0/24",  # documentation (RFC 5737)
    "224.0.0.0/4",  # multicast (RFC 5771)
    "240.0.0.0/4",  # reserved (RFC 1112), with the broadcast address (RFC 919)
    "2001::/23",  # protocol assignments (RFC 2928): Teredo, benchmarks, ORCHID …
    "2001:db8::/32",  # documentation (RFC 3849)
    "3fff::/20",  # documentation (RFC 9637)
)
MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4-mapped (RFC 4291)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_PUBLIC_V6 = (
    IPv6Network("2000::/3"),  # all that IANA gives out as global unicast (RFC 4291)
    MAPPED,  # these two are as public as the IPv4 address that is inside
    _NAT64,
)
"""Everything else of IPv6 is special: loopback, `100::/64`, `5f00::/16`, `fc00::/7`, `fec0::/10`, `ff00::/8` …"""
_LAST_32_BITS = (
    IPv6Network("::/96"),  # IPv4-compatible (RFC 4291)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    _NAT64,
)
_ISATAP = {0x00005EFE, 0x02005EFE}  # RFC 5214
_BYTES_OF_LOCAL_NAT64 = ((6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (12, 13, 14, 15))
"""Where the IPv4 address may be, by the length that the network has chosen for its prefix (RFC 6052, section 2.2)."""
_NOWHERE = IPv4Network("0.0.0.0/8")
_TAKEN_FOR: dict[Address, Address] = {
    IPv4Address(0): IPv4Address("127.0.0.1"),
    IPv6Address(0): IPv6Address("::1"),
}
"""What the kernel dials for an unspecified address."""
_NOT_COMPATIBLE = {IPv6Address("::"), IPv6Address("::1")}


def is_never_dialled(address: Address) -> bool:
    """Tell whether an address is that of a metadata service, or link-local."""
    return any(address in network for network in _METADATA)


def is_public(address: Address) -> bool:
    """Tell whether an address can be that of a server on the internet, by itself and not by what is embedded in it."""
    if isinstance(address, IPv6Address) and not any(address in network for network in _PUBLIC_V6):
        return False
    return not any(address in network for network in _SPECIAL)


def meanings(address: Address) -> set[Address]:
    """Return all addresses that a connection to one may reach: itself, and those that are embedded in it."""
    found: set[Address] = set()
    to_see: list[Address] = [address]
    while to_see:
        one = to_see.pop()
        found.add(one)
        to_see += _embedded_in(one) if isinstance(one, IPv6Address) else []
        to_see += [_TAKEN_FOR[one]] if one in _TAKEN_FOR else []
    return found


def _embedded_in(address: IPv6Address) -> list[IPv4Address]:
    """Take out the IPv4 addresses (RFC 3056, 4291, 4380, 5214, 6052, 8215)."""
    if address in _NOT_COMPATIBLE:  # not `is_loopback`, which is true of mapped ones too from Python 3.13 on
        return []
    if address in _LOCAL_NAT64:
        return _behind_local_nat64(address)
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    is_isatap = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
    if is_isatap or any(address in network for network in _LAST_32_BITS):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def _behind_local_nat64(address: IPv6Address) -> list[IPv4Address]:
    """Take out every IPv4 address that one may stand for: which length the prefix has cannot be known from here."""
    packed = address.packed
    candidates = [IPv4Address(bytes(packed[place] for place in places)) for places in _BYTES_OF_LOCAL_NAT64]
    return [candidate for candidate in candidates if candidate not in _NOWHERE]
