"""Addresses that are never dialled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.guard.addresses import is_refused

METADATA = ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200"]
METADATA += ["192.0.0.192", "168.63.129.16", "fe80::a9fe:a9fe", "fe80::1%lo", "febf::1"]


@pytest.mark.parametrize("address", METADATA)
def test_N_05_metadata_services_and_link_local_addresses_are_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:169.254.169.254",  # mapped
        "::169.254.169.254",  # compatible
        "::ffff:0:169.254.169.254",  # translated
        "64:ff9b::169.254.169.254",  # NAT64
        "64:ff9b:1::169.254.169.254",  # NAT64 of a local network
        "2002:a9fe:a9fe::1",  # 6to4
        "2001:0:a9fe:a9fe:0:0:0:0",  # Teredo, its server
        "2001:0:0:0:0:0:5601:5601",  # Teredo, its client
        "2001:db8::5efe:169.254.169.254",  # ISATAP
        "2001:db8::200:5efe:169.254.169.254",
        "::ffff:100.100.100.200",
        "64:ff9b::168.63.129.16",
    ],
)
def test_N_04_a_refused_address_inside_another_is_refused(address: str) -> None:
    assert is_refused(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.1",
        "8.8.8.8",
        "2606:4700::1111",
        "fd12::1",
        "0.0.0.0",
        "::ffff:10.0.0.1",
    ],
)
def test_local_mode_dials_everything_else(address: str) -> None:
    assert not is_refused(address)


@given(st.integers(0, 2**16 - 1))
def test_N_04_every_link_local_address_is_refused_in_every_wrapping(low: int) -> None:
    inner = f"169.254.{low >> 8}.{low & 255}"

    wrapped = ("{}", "::ffff:{}", "::{}", "64:ff9b::{}", "::ffff:0:{}", "2001:db8::5efe:{}")
    assert all(is_refused(form.format(inner)) for form in wrapped)
