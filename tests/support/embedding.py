"""Each form of an IPv6 address that has an IPv4 address inside, made bit by bit from its RFC."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

Embedding = Callable[[IPv4Address, int], IPv6Address]
"""Puts an IPv4 address into an IPv6 one, whose other bits are free as far as the form leaves them."""

_ALL = 0xFFFFFFFF


def _fixed(prefix: int) -> Embedding:
    return lambda inner, _noise: IPv6Address(prefix << 32 | int(inner))


def _local_nat64(*places: int) -> Embedding:
    def embed(inner: IPv4Address, noise: int) -> IPv6Address:
        packed = bytearray((0x0064FF9B0001 << 80 | noise % 2**80).to_bytes(16))
        for place, byte in zip(places, inner.packed, strict=True):
            packed[place] = byte
        return IPv6Address(bytes(packed))

    return embed


def _six_to_four(inner: IPv4Address, noise: int) -> IPv6Address:
    return IPv6Address(0x2002 << 112 | int(inner) << 80 | noise % 2**80)


def _teredo_client(inner: IPv4Address, noise: int) -> IPv6Address:
    return IPv6Address(0x20010000 << 96 | (noise >> 32) % 2**64 << 32 | int(inner) ^ _ALL)


def _teredo_server(inner: IPv4Address, noise: int) -> IPv6Address:
    return IPv6Address(0x20010000 << 96 | int(inner) << 64 | noise % 2**64)


def _isatap(identifier: int) -> Embedding:
    return lambda inner, noise: IPv6Address(0x2A00 << 112 | noise % 2**48 << 64 | identifier << 32 | int(inner))


EMBEDDINGS: dict[str, Embedding] = {
    "mapped": _fixed(0xFFFF),
    "compatible": _fixed(0),
    "translated": _fixed(0xFFFF0000),
    "nat64": _fixed(0x0064FF9B << 64),
    "local nat64, 48 bits": _local_nat64(6, 7, 9, 10),
    "local nat64, 56 bits": _local_nat64(7, 9, 10, 11),
    "local nat64, 64 bits": _local_nat64(9, 10, 11, 12),
    "local nat64, 96 bits": _local_nat64(12, 13, 14, 15),
    "6to4": _six_to_four,
    "teredo client": _teredo_client,
    "teredo server": _teredo_server,
    "isatap": _isatap(0x00005EFE),
    "isatap, global": _isatap(0x02005EFE),
}
"""Each embedding by its name."""
