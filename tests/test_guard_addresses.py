"""What addresses are."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.embedding import EMBEDDINGS, Embedding
from wellhead.guard.addresses import is_never_dialled, is_public, meanings

METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200"]
METADATA += ["fd00:c1::a9fe:a9fe", "fd00:a9fe:a9fe::1", "fd00:100::100:200"]
METADATA += ["fd00:42::42", "192.0.0.192", "168.63.129.16", "fe80::a9fe:a9fe", "fe80::1", "febf::1"]

# First and last address of each special range, and the neighbours outside it that are public.
SPECIAL = [
    ("0.0.0.0", "0.255.255.255", [None, "1.0.0.0"]),
    ("10.0.0.0", "10.255.255.255", ["9.255.255.255", "11.0.0.0"]),
    ("100.64.0.0", "100.127.255.255", ["100.63.255.255", "100.128.0.0"]),
    ("127.0.0.0", "127.255.255.255", ["126.255.255.255", "128.0.0.0"]),
    ("172.16.0.0", "172.31.255.255", ["172.15.255.255", "172.32.0.0"]),
    ("192.0.0.0", "192.0.0.255", ["191.255.255.255", "192.0.1.0"]),
    ("192.0.2.0", "192.0.2.255", ["192.0.1.255", "192.0.3.0"]),
    ("192.88.99.0", "192.88.99.255", ["192.88.98.255", "192.88.100.0"]),
    ("192.168.0.0", "192.168.255.255", ["192.167.255.255", "192.169.0.0"]),
    ("198.18.0.0", "198.19.255.255", ["198.17.255.255", "198.20.0.0"]),
    ("198.51.100.0", "198.51.100.255", ["198.51.99.255", "198.51.101.0"]),
    ("203.0.113.0", "203.0.113.255", ["203.0.112.255", "203.0.114.0"]),
    ("224.0.0.0", "239.255.255.255", ["223.255.255.255"]),
    ("240.0.0.0", "255.255.255.255", []),
    ("::", "::1", []),
    ("100::", "100::ffff:ffff:ffff:ffff", []),
    ("100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", []),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", ["64:ff9b::808:808"]),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", ["2000:ffff::", "2001:200::"]),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", ["2001:db7:ffff::", "2001:db9::"]),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", ["3ffe:ffff::", "3fff:1000::"]),
    ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ["3fff:ffff::"]),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e", "2620:4f:8000::1"]


@pytest.mark.parametrize("address", METADATA)
def test_N_05_metadata_services_and_link_local_addresses_are_never_dialled(address: str) -> None:
    assert is_never_dialled(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [*PUBLIC, "127.0.0.1", "::1", "10.0.0.1", "169.253.255.255", "169.255.0.0", "fe7f::1", "fec0::1", "fd12::1",
     "168.63.129.15", "168.63.129.17", "100.100.100.199", "fd00:ec3::254", "192.0.0.193"],
)  # fmt: skip
def test_N_05_nothing_else_is_one_of_them(address: str) -> None:
    assert not is_never_dialled(ip_address(address))


@pytest.mark.parametrize(("first", "last", "outside"), SPECIAL)
def test_N_06_no_special_range_is_public_from_its_first_to_its_last_address(
    first: str, last: str, outside: list[str | None]
) -> None:
    assert not is_public(ip_address(first))
    assert not is_public(ip_address(last))
    assert all(is_public(ip_address(address)) for address in outside if address)


@pytest.mark.parametrize("address", PUBLIC)
def test_other_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("::ffff:169.254.169.254", "169.254.169.254"),  # mapped
        ("::10.0.0.1", "10.0.0.1"),  # compatible
        ("::ffff:0:10.0.0.1", "10.0.0.1"),  # translated
        ("64:ff9b::10.0.0.1", "10.0.0.1"),  # NAT64
        ("64:ff9b:1::10.0.0.1", "10.0.0.1"),  # NAT64 of a local network, by the length of its prefix
        ("64:ff9b:1:c000:2:2100::", "192.0.2.33"),
        ("64:ff9b:1:c0:0:221::", "192.0.2.33"),
        ("64:ff9b:1:0:c0:2:2100:0", "192.0.2.33"),
        ("2002:a00:1::1", "10.0.0.1"),  # 6to4
        ("2001:0:a00:1:0:0:0:0", "10.0.0.1"),  # Teredo, its server
        ("2001:0:0:0:0:0:f5ff:fffe", "10.0.0.1"),  # Teredo, its client
        ("2a00::5efe:10.0.0.1", "10.0.0.1"),  # ISATAP
        ("2a00::200:5efe:10.0.0.1", "10.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # the kernel takes it for loopback
        ("::", "::1"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
    ],
)
def test_N_04_what_is_inside_an_address_is_taken_out(address: str, inside: str) -> None:
    assert {ip_address(address), ip_address(inside)} <= meanings(ip_address(address))


@pytest.mark.parametrize("kind", [IPv4Address, IPv6Address])
def test_N_06_what_versions_of_python_think_of_an_address_does_not_count(
    monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    for name in [name for name in dir(kind) if name.startswith("is_")]:
        monkeypatch.setattr(kind, name, True)
    assert ip_address("127.0.0.1") in meanings(ip_address("::ffff:127.0.0.1"))
    assert is_public(ip_address("8.8.8.8"))
    assert is_public(ip_address("2606:4700::1111"))


@pytest.mark.parametrize("address", ["8.8.8.8", "127.0.0.1", "::1", "2606:4700::1111", "fd12::1"])
def test_an_address_with_nothing_inside_means_itself_only(address: str) -> None:
    assert meanings(ip_address(address)) == {ip_address(address)}


def test_a_local_nat64_address_means_no_more_than_it_must() -> None:
    address = ip_address("64:ff9b:1::8.8.8.8")
    assert meanings(address) == {address, ip_address("8.8.8.8")}


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=EMBEDDINGS)
@settings(deadline=None)
@given(inner=st.ip_addresses(v=4), noise=st.integers(0, 2**128 - 1))
def test_N_04_every_address_is_found_in_every_embedding(embed: Embedding, inner: IPv4Address, noise: int) -> None:
    assume(inner not in IPv4Network("0.0.0.0/8"))  # nothing there can be dialled
    assert inner in meanings(embed(inner, noise))


@settings(deadline=None)
@given(number=st.integers(0, 2**128 - 1))
def test_every_address_has_a_few_meanings_and_is_one_of_them(number: int) -> None:
    address = IPv6Address(number)
    assert address in meanings(address)
    assert len(meanings(address)) <= 6
